"""How a diagram is walked, reckoned without running it.

What is reached, what waits for ever, what never rests, how far the library looks ahead, which variables a step can see.
A scope is a process or an embedded part. All of it is bounded: the walk of tokens stops at MAX_MARKINGS and then says nothing.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
_B = f"{{{BPMN}}}"
PARTS = frozenset({"subProcess", "transaction", "adHocSubProcess"})
RESTING = frozenset({"userTask", "task", "manualTask", "receiveTask"})
GATEWAYS = frozenset({"exclusiveGateway", "inclusiveGateway", "parallelGateway", "eventBasedGateway", "complexGateway"})
MAX_MARKINGS = 3_000
MAX_MOVES = 40_000
ENDLESS = 10**6


@dataclass(frozen=True, slots=True)
class Flow:
    """A sequence flow of a scope; `condition` is its text, None where there is none."""

    id: str
    source: str
    target: str
    condition: str | None
    drawn: etree._Element


@dataclass
class Scope:
    """A process or an embedded part as a graph. Flows that lead nowhere are left out."""

    id: str
    drawn: etree._Element
    process: str
    nodes: dict[str, etree._Element] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    ahead: dict[str, list[Flow]] = field(default_factory=dict)
    inward: dict[str, list[Flow]] = field(default_factory=dict)
    beside: dict[str, list[str]] = field(default_factory=dict)
    dangling: list[etree._Element] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)

    @property
    def starts(self) -> list[str]:
        """The start events."""
        return [node for node, kind in self.kinds.items() if kind == "startEvent"]

    @property
    def ends(self) -> list[str]:
        """The end events."""
        return [node for node, kind in self.kinds.items() if kind == "endEvent"]

    def follow(self, node: str) -> Iterator[str]:
        """Yield what may come next: targets of flows, and the events beside a step."""
        for flow in self.ahead.get(node, ()):
            yield flow.target
        yield from self.beside.get(node, ())

    def before(self, node: str) -> Iterator[str]:
        """Yield what may have come just before."""
        for flow in self.inward.get(node, ()):
            yield flow.source
        if self.kinds.get(node) == "boundaryEvent":
            yield self.nodes[node].get("attachedToRef", "")

    def main_way(self) -> set[str]:
        """Return what is reached without an event that only begins something beside its step: a reminder, for instance."""
        return closure(
            self.starts,
            lambda node: [
                *(flow.target for flow in self.ahead.get(node, ())),
                *(event for event in self.beside.get(node, ()) if self.is_interrupting(event)),
            ],
        )

    def definition(self, node: str) -> str:
        """Return the kind of event: `timer`, `message`, … or empty."""
        return definition(self.nodes[node])

    def is_interrupting(self, node: str) -> bool:
        """Tell whether an event beside a step ends it."""
        return self.nodes[node].get("cancelActivity", "true").lower() == "true"


def definition(node: etree._Element) -> str:
    """Return the kind of event a node is; empty where it has no definition."""
    for child in node:
        if isinstance(child.tag, str) and child.tag.startswith(_B) and child.tag.endswith("EventDefinition"):
            return child.tag[len(_B) : -len("EventDefinition")]
    return ""


def scopes(root: etree._Element, flow_nodes: frozenset[str]) -> list[Scope]:
    """Return every scope of a diagram, processes before the parts in them."""
    found = []
    for process in root.iterfind(f"{_B}process"):
        for drawn in process.iter(f"{_B}process", *(f"{_B}{part}" for part in PARTS)):
            found.append(_scope(drawn, process.get("id", ""), flow_nodes))
    return found


def _scope(drawn: etree._Element, process: str, flow_nodes: frozenset[str]) -> Scope:
    scope = Scope(drawn.get("id", ""), drawn, process)
    flows = []
    for child in drawn:
        tag = child.tag
        if not isinstance(tag, str) or not tag.startswith(_B):
            continue
        kind = tag[len(_B) :]
        if kind in flow_nodes:
            identifier = child.get("id", "")
            scope.nodes[identifier], scope.kinds[identifier] = child, kind
        elif kind == "sequenceFlow":
            flows.append(child)
    for drawn_flow in flows:
        source, target = drawn_flow.get("sourceRef", ""), drawn_flow.get("targetRef", "")
        if source not in scope.nodes or target not in scope.nodes:
            scope.dangling.append(drawn_flow)
            continue
        condition = drawn_flow.find(f"{_B}conditionExpression")
        flow = Flow(drawn_flow.get("id", ""), source, target, None if condition is None else (condition.text or "").strip(), drawn_flow)
        scope.ahead.setdefault(source, []).append(flow)
        scope.inward.setdefault(target, []).append(flow)
    for identifier, kind in scope.kinds.items():
        if kind == "boundaryEvent":
            scope.beside.setdefault(scope.nodes[identifier].get("attachedToRef", ""), []).append(identifier)
    scope.reached = closure(scope.starts, scope.follow)
    return scope


def closure(starts: Iterable[str], follow: Callable[[str], Iterable[str]]) -> set[str]:
    """Return everything that can be reached, the starts included."""
    seen: set[str] = set()
    todo = list(starts)
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(follow(current))
    return seen


def without_way_out(scope: Scope) -> list[str]:
    """Return the reached nodes from which no end can be reached, in the order in which they are drawn."""
    leads_out = closure(scope.ends, scope.before)
    dead = {node for node in scope.reached if not scope.ahead.get(node) and scope.kinds.get(node) not in ("endEvent", None)}
    leads_to_dead = closure(dead, scope.before)
    return [node for node in scope.nodes if node in scope.reached and node not in leads_out and node not in leads_to_dead]


def circles(nodes: Iterable[str], follow: Callable[[str], Iterable[str]]) -> list[list[str]]:
    """Return the strongly connected groups that hold a circle (Tarjan, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    inside = set(nodes)
    for start in list(inside):
        if start in order:
            continue
        work: list[tuple[str, Iterator[str]]] = [(start, iter([after for after in follow(start) if after in inside]))]
        order[start] = low[start] = len(order)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, rest = work[-1]
            for after in rest:
                if after not in order:
                    order[after] = low[after] = len(order)
                    stack.append(after)
                    on_stack.add(after)
                    work.append((after, iter([onward for onward in follow(after) if onward in inside])))
                    break
                if after in on_stack:
                    low[node] = min(low[node], order[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    group = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        group.append(member)
                        if member == node:
                            break
                    if len(group) > 1 or node in list(follow(node)):
                        found.append(group)
    return found


# ── how far the library looks ahead ──


def growth(scope: Scope) -> tuple[int, str]:
    """Return how many tasks the library predicts at most from one node of a scope, and that node.

    The library copies everything that surely follows for each way to it: k parallel blocks of b branches in a row make
    b^k copies of the rest. Behind a choice or an event beside a step it looks two steps ahead only. ENDLESS stands for
    a circle without a choice, along which it would never stop.
    """
    known: dict[str, int] = {}
    for start in scope.nodes:
        if start in known:
            continue
        work: list[tuple[str, bool]] = [(start, False)]
        open_nodes: set[str] = set()
        while work:
            node, is_done = work.pop()
            if is_done:
                open_nodes.discard(node)
                known[node] = _predicted(scope, node, known)
                continue
            if node in known:
                continue
            if node in open_nodes:  # a circle in which nothing is chosen
                known[node] = ENDLESS
                continue
            open_nodes.add(node)
            work.append((node, True))
            if scope.kinds.get(node) not in ("exclusiveGateway", "inclusiveGateway"):
                for flow in scope.ahead.get(node, ()):
                    if flow.target in open_nodes:
                        known[flow.target] = ENDLESS
                    else:
                        work.append((flow.target, False))
    best = max(known.items(), key=lambda entry: entry[1], default=("", 0))
    return best[1], best[0]


def _predicted(scope: Scope, node: str, known: Mapping[str, int]) -> int:
    if known.get(node) == ENDLESS:
        return ENDLESS
    kind, flows = scope.kinds.get(node), scope.ahead.get(node, [])
    own = 3 if kind == "endEvent" else 1
    if kind in ("exclusiveGateway", "inclusiveGateway"):
        return min(ENDLESS, own + sum(1 + _width(scope, flow.target) for flow in flows))
    total = own + sum(known.get(flow.target, 1) for flow in flows)
    for event in scope.beside.get(node, ()):  # a split and a join around the step
        total += 2 + _width(scope, event)
    if scope.beside.get(node):
        total += 2
    return min(ENDLESS, total)


def _width(scope: Scope, node: str) -> int:
    return len(scope.ahead.get(node, ())) + len(scope.beside.get(node, ())) + 2


# ── the walk of tokens ──


@dataclass
class Walk:
    """What can happen in a scope, as far as it was walked.

    Attributes:
        is_whole: Whether everything was walked; otherwise the rest says nothing.
        waiting: Joins at which something waits for ever, with whether they ever fire.
        doubled: Nodes that are passed once for each of several branches.
        ends: For each end event at which the scope completed, the last state of the case then; None where none was set.
        cut_off: Terminate ends that end other branches with them.
        together: Pairs of steps that can be open at the same time.
    """

    is_whole: bool = True
    waiting: dict[str, bool] = field(default_factory=dict)
    doubled: set[str] = field(default_factory=set)
    ends: dict[str, set[str | None]] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    together: set[tuple[str, str]] = field(default_factory=set)


class _Places:
    """Flows that hold the same token are one place."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}

    def find(self, flow: str) -> str:
        self.parent.setdefault(flow, flow)
        while self.parent[flow] != flow:
            self.parent[flow] = self.parent[self.parent[flow]]
            flow = self.parent[flow]
        return flow

    def unite(self, flows: list[str]) -> None:
        for flow in flows[1:]:
            self.parent[self.find(flow)] = self.find(flows[0])


@dataclass
class _Move:
    """A transition: what it takes, what it gives, what it says of the case's state."""

    node: str
    takes: int
    gives: int
    clears: int = 0
    states: tuple[str | None, ...] = (None,)
    is_end: bool = False
    is_terminate: bool = False
    is_beside: bool = False
    forbids: int = 0


def walk(scope: Scope, label: Callable[[str], str | None], inside: Callable[[str], tuple[frozenset[str | None], frozenset[str]]]) -> Walk:
    """Walk the tokens of a scope through every choice.

    Args:
        label: The state of the case that passing a node sets, or None.
        inside: For a step that holds or calls a part: the states with which that may end (None: unchanged) and all states in it.
    """
    if len(scope.starts) != 1:
        return Walk(is_whole=False)
    nodes = [node for node in scope.nodes if node in scope.reached]
    places = _Places()
    ins: dict[str, list[str]] = {}
    outs: dict[str, list[str]] = {}
    source_of: dict[str, str] = {}
    for node in nodes:
        # A flow is told from another by what it joins as well: two may carry the same id.
        ins[node] = [f"{flow.id} {flow.source} {flow.target}" for flow in scope.inward.get(node, ()) if flow.source in scope.reached]
        outs[node] = [f"{flow.id} {flow.source} {flow.target}" for flow in scope.ahead.get(node, ())]
        source_of.update(dict.fromkeys(outs[node], node))
    plain: set[str] = set()
    for node in nodes:
        kind = scope.kinds[node]
        is_join = kind in ("parallelGateway", "inclusiveGateway") and len(ins[node]) > 1
        if is_join or kind in ("startEvent", "boundaryEvent"):
            continue
        places.unite(ins[node])
        says = label(node) is not None or (kind in (*PARTS, "callActivity") and inside(node) != (frozenset({None}), frozenset()))
        if len(outs[node]) == 1 and not says and not scope.beside.get(node) and kind != "endEvent" and ins[node]:
            places.unite([ins[node][0], outs[node][0]])
            plain.add(node)
    index: dict[str, int] = {}

    def bit(flow: str) -> int:
        return 1 << index.setdefault(places.find(flow), len(index))

    def bits(flows: list[str]) -> int:
        total = 0
        for flow in flows:
            total |= bit(flow)
        return total

    moves: list[_Move] = []
    joins: dict[str, list[int]] = {}
    at: dict[str, int] = {node: bit(ins[node][0]) for node in nodes if ins[node]}
    merges: dict[int, str] = {}
    for node in nodes:
        if node in plain and len(ins[node]) > 1:
            merges.setdefault(at[node], node)
    for node in nodes:
        kind = scope.kinds[node]
        said = label(node)
        if kind in ("startEvent", "boundaryEvent") or node in plain or not ins[node]:
            continue
        if kind == "endEvent":
            what = scope.definition(node)
            moves.append(_Move(node, at[node], 0, states=(said,), is_end=True, is_terminate=what == "terminate"))
            continue
        if len(ins[node]) > 1 and kind not in ("parallelGateway", "inclusiveGateway"):
            merges.setdefault(at[node], node)
        given = _given(kind, outs[node], bits, bit)
        if kind == "parallelGateway" and len(ins[node]) > 1:
            joins[node] = [bit(flow) for flow in ins[node]]
            moves += [_Move(node, bits(ins[node]), gives, states=(said,)) for gives in given]
        elif kind == "inclusiveGateway" and len(ins[node]) > 1:
            joins[node] = [bit(flow) for flow in ins[node]]
            wanted = [bit(flow) for flow in ins[node]]
            for count in range(1, len(wanted) + 1):
                for chosen in itertools.islice(itertools.combinations(wanted, count), 16):
                    moves += [_Move(node, sum(chosen), gives, states=(said,), forbids=-1) for gives in given]
        else:
            flags = 0
            states: tuple[str | None, ...] = (said,)
            at_all: frozenset[str] = frozenset()
            if kind in PARTS or kind == "callActivity":
                ends, at_all = inside(node)
                states = tuple(sorted({said if end is None else end for end in ends} or {said}, key=str))
            for event in scope.beside.get(node, ()):
                if event not in scope.reached or not outs.get(event):
                    continue
                onward = bits(outs[event])
                heard = tuple(sorted({label(event), *(at_all if label(event) is None else ())}, key=str))
                if scope.is_interrupting(event):
                    moves.append(_Move(event, at[node], onward, clears=at[node], states=heard, is_beside=True))
                else:
                    flag = 1 << index.setdefault(f"\x00{event}", len(index))
                    flags |= flag
                    moves.append(_Move(event, at[node], at[node] | onward | flag, states=heard, is_beside=True, forbids=flag))
            for gives in given or [0]:
                moves.append(_Move(node, at[node], gives, clears=flags, states=states))
            for move in moves:
                if move.is_beside and move.clears and move.takes == at[node]:
                    move.clears |= flags
    start = scope.starts[0]
    flags_all = sum(1 << place for name, place in index.items() if name.startswith("\x00"))
    begin = bits(outs[start])
    upstream = _upstream(scope, joins, ins, bit)
    main_way = scope.main_way()  # ending what runs beside it is what a terminate end is for
    beside = 0
    for node in nodes:
        for flow in ins[node]:
            if source_of[flow] not in main_way:
                beside |= bit(flow)
    found = _explore(begin, label(start), moves, joins, merges, (flags_all, beside), upstream, at, {n for n in nodes if scope.kinds[n] in GATEWAYS})
    for node in nodes:  # branches that meet without anything between them that could be told apart
        if scope.kinds[node] in ("parallelGateway", "inclusiveGateway"):
            given_twice = [bit(flow) for flow in outs[node]]
            found.doubled.update(merges[place] for place in given_twice if given_twice.count(place) > 1 and place in merges)
    return found


def _given(kind: str, flows: list[str], bits: Callable[[list[str]], int], bit: Callable[[str], int]) -> list[int]:
    if kind == "parallelGateway" or not flows:
        return [bits(flows)]
    if kind == "inclusiveGateway" and len(flows) > 1:
        if len(flows) > 4:
            return [*(bit(flow) for flow in flows), bits(flows)]
        return [bits(list(chosen)) for count in range(1, len(flows) + 1) for chosen in itertools.combinations(flows, count)]
    return [bit(flow) for flow in flows]


def _upstream(scope: Scope, joins: Mapping[str, list[int]], ins: Mapping[str, list[str]], bit: Callable[[str], int]) -> dict[str, int]:
    """Return for each inclusive join the places from which something can still come to it without passing it."""
    found: dict[str, int] = {}
    for join in joins:
        if scope.kinds[join] != "inclusiveGateway":
            continue

        def past(node: str, join: str = join) -> list[str]:
            return [source for source in scope.before(node) if source != join]

        before = closure(past(join), past)
        mask = 0
        for node in before:
            for flow in ins.get(node, ()):
                mask |= bit(flow)
        for flow in ins[join]:
            mask &= ~bit(flow)
        found[join] = mask
    return found


def _explore(
    begin: int,
    state: str | None,
    moves: list[_Move],
    joins: Mapping[str, list[int]],
    merges: Mapping[int, str],
    aside: tuple[int, int],
    upstream: Mapping[str, int],
    at: Mapping[str, int],
    quiet: set[str],
) -> Walk:
    found = Walk()
    flags, beside = aside
    seen = {(begin, state)}
    todo = deque(seen)
    fired: set[str] = set()
    waiting: set[str] = set()
    markings: set[int] = set()
    made = 0
    while todo:
        marking, last = todo.popleft()
        markings.add(marking & ~flags)
        moved = False
        for move in moves:
            made += 1
            if marking & move.takes != move.takes:
                continue
            if move.forbids == -1:
                whole = sum(place for place in joins[move.node] if marking & place)
                if move.takes != whole or marking & upstream[move.node]:
                    continue
            elif move.forbids & marking:
                continue
            moved = True
            fired.add(move.node)
            rest = marking & ~move.takes & ~move.clears
            twice = rest & move.gives & ~flags
            if twice and not move.is_beside:
                found.doubled.update(node for place, node in merges.items() if place & twice)
            after = rest | move.gives
            if move.is_terminate:
                if after & ~flags & ~beside:
                    found.cut_off.add(move.node)
                after = 0
            if not after & ~flags:
                after = 0
            for said in move.states:
                now = last if said is None else said
                if not after:
                    found.ends.setdefault(move.node, set()).add(now)
                elif (after, now) not in seen:
                    seen.add((after, now))
                    todo.append((after, now))
        if not moved and marking:
            waiting.update(join for join, wanted in joins.items() if any(marking & place for place in wanted))
        if len(seen) > MAX_MARKINGS or made > MAX_MOVES:
            return Walk(is_whole=False)
    found.waiting = {join: join in fired for join in waiting}
    by_place: dict[int, list[str]] = {}
    for node, place in at.items():
        if node not in quiet:
            by_place.setdefault(place, []).append(node)
    pairs: set[tuple[int, int]] = set()
    for marking in markings:
        held = [place for place in by_place if place & marking]
        pairs.update(itertools.combinations(held, 2))
    for one, other in pairs:
        found.together.update((first, second) for first in by_place[one] for second in by_place[other])
    return found


# ── which variables a step can see ──


@dataclass
class Seen:
    """The variables that may and that must have been set when a node is reached, by node id, as bit sets over `names`."""

    names: dict[str, int]
    may: dict[str, int] = field(default_factory=dict)
    must: dict[str, int] = field(default_factory=dict)

    def possible(self, node: str, name: str) -> bool:
        """Tell whether some way to the node sets the name; an unreached node sees everything."""
        return node not in self.may or bool(self.may[node] & self.names.get(name, 0))

    def certain(self, node: str, name: str) -> bool:
        """Tell whether every way to the node sets the name."""
        return node not in self.must or bool(self.must[node] & self.names.get(name, 0))


@dataclass(frozen=True)
class Writes:
    """What a node adds to the variables: to those behind it, and only to those inside it."""

    after: frozenset[str] = frozenset()
    within: frozenset[str] = frozenset()
    is_closed: bool = False


def variables(found: Mapping[str, Scope], main: str, given: Iterable[str], writes: Mapping[str, Writes], called: Mapping[str, str]) -> Seen:
    """Follow the variables through all scopes to a fixed point.

    Args:
        found: Scopes by id: processes and parts.
        given: The names with which a case begins.
        writes: What each node writes; `is_closed` keeps what is set inside (several instances with a list of results).
        called: For each node that holds or calls a scope, the id of that scope.
    """
    names: dict[str, int] = {}

    def mask(some: Iterable[str]) -> int:
        total = 0
        for name in some:
            total |= names.setdefault(name, 1 << len(names))
        return total

    after = {node: mask(entry.after) for node, entry in writes.items()}
    within = {node: mask(entry.within) for node, entry in writes.items()}
    begun = mask(given)
    every = (1 << len(names)) - 1
    seen = Seen(names)
    entry_may, entry_must = dict.fromkeys(found, 0), dict.fromkeys(found, every)
    exit_may, exit_must = dict.fromkeys(found, 0), dict.fromkeys(found, every)
    uncalled = set(found) - set(called.values())
    for name in {main, *uncalled} & set(found):
        entry_may[name] = entry_must[name] = begun
    for _ in range(40):
        before = (dict(entry_may), dict(entry_must), dict(exit_may), dict(exit_must))
        called_may: dict[str, int] = {}
        called_must: dict[str, int] = {}
        for name, scope in found.items():
            _through(scope, (entry_may[name], entry_must[name]), seen, (after, writes, called), (exit_may, exit_must), every)
            for node in scope.nodes:
                target = called.get(node, "")
                if target in found and node in scope.reached:
                    called_may[target] = called_may.get(target, 0) | seen.may[node] | within.get(node, 0)
                    called_must[target] = called_must.get(target, every) & (seen.must[node] | within.get(node, 0))
        for name in called_may:
            extra = begun if name == main else 0
            entry_may[name] = called_may[name] | extra
            entry_must[name] = called_must[name] & (begun if name == main else every)
        if before == (entry_may, entry_must, exit_may, exit_must):
            break
    return seen


def _through(
    scope: Scope,
    entry: tuple[int, int],
    seen: Seen,
    told: tuple[Mapping[str, int], Mapping[str, Writes], Mapping[str, str]],
    exits: tuple[dict[str, int], dict[str, int]],
    every: int,
) -> None:
    after, writes, called = told
    exit_may, exit_must = exits
    out_may: dict[str, int] = {}
    out_must: dict[str, int] = {}
    order = [node for node in scope.nodes if node in scope.reached]
    todo = deque(order)
    queued = set(order)
    for node in order:
        out_must[node], out_may[node] = every, 0
    turns = 0
    while todo and turns < 60 * len(order) + 10:
        turns += 1
        node = todo.popleft()
        queued.discard(node)
        kind = scope.kinds[node]
        if kind == "startEvent":
            may, must = entry
        elif kind == "boundaryEvent":
            host = scope.nodes[node].get("attachedToRef", "")
            may, must = seen.may.get(host, 0), seen.must.get(host, every)
        else:
            sources = [flow.source for flow in scope.inward.get(node, ()) if flow.source in scope.reached]
            may, must = 0, 0 if kind == "parallelGateway" else every
            for source in sources:
                may |= out_may[source]
                must = must | out_must[source] if kind == "parallelGateway" else must & out_must[source]
        seen.may[node], seen.must[node] = may, must
        more, sure = after.get(node, 0), after.get(node, 0)
        target = called.get(node, "")
        if target in exit_may and not (node in writes and writes[node].is_closed):
            more |= exit_may[target]
            sure |= exit_must[target]
        if out_may[node] != may | more or out_must[node] != must | sure:
            out_may[node], out_must[node] = may | more, must | sure
            for onward in scope.follow(node):
                if onward not in queued and onward in scope.reached:
                    queued.add(onward)
                    todo.append(onward)
        else:
            for event in scope.beside.get(node, ()):
                if event in scope.reached and event not in queued and seen.may.get(event) != may:
                    queued.add(event)
                    todo.append(event)
    main_way = scope.main_way()
    may, must = 0, every
    for node in scope.ends:
        if node in scope.reached:
            may |= out_may[node]
            must &= out_must[node] if node in main_way else every
    exit_may[scope.id], exit_must[scope.id] = may, must

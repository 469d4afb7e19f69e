"""Edits of a diagram by someone who reads it as an outline: pure functions from the text of a diagram to a new one.

An edit keeps every id, every byte it has no business with, and the picture: a new step gets its place in the lane of its
role, flows are led round it. What cannot be done is refused in a sentence, and nothing changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lxml import etree

from engine.errors import N_
from engine.workflow import markup
from engine.workflow.editing import (
    ANY_TASK,
    CALLED,
    GATEWAYS,
    OF_KIND,
    TASKS,
    Branch,
    Edit,
    Edited,
    EditRefused,
    New,
    Spot,
    Values,
    offset,
    picture_size,
    snake,
)
from engine.workflow.outlining import PARTS
from engine.workflow.reading import BPMN, extensions, local
from engine.workflow.redrawing import GAP, Box, room

# ── adding ──


def add_step(content: bytes, spot: Spot, new: New, taken: Collection[str] = ()) -> Edited:
    """Put a step into a diagram.

    Args:
        taken: Ids used in the other diagrams of the procedure.

    Raises:
        EditRefused: nothing can stand there.
        UnreadableDiagram: it is no diagram.
    """
    edit = Edit(content, taken)
    flow = edit.spot(spot)
    step = edit.new(new, flow)
    edit.put_in(flow, step)
    edit.place_on(flow, step, new.lane)
    return edit.done(step)


def add_decision(content: bytes, spot: Spot, name: str, name_en: str, branches: Sequence[Branch], taken: Collection[str] = ()) -> Edited:
    """Put a decision into a diagram: a gateway with two or more ways; those that go on meet again before what follows.

    Raises:
        EditRefused: fewer than two ways, none goes on, or more than one is the default.
    """
    return _fork(Edit(content, taken), spot, "exclusiveGateway", New(name=name, name_en=name_en), branches)


def add_parallel(content: bytes, spot: Spot, steps: Sequence[New], taken: Collection[str] = ()) -> Edited:
    """Put steps that are done at the same time into a diagram; what follows waits for all of them."""
    if len(steps) < 2:
        raise EditRefused(N_("同时进行的步骤至少要两个。"))
    return _fork(Edit(content, taken), spot, "parallelGateway", New(), [Branch(leads="step", step=step) for step in steps])


def add_beside(content: bytes, element: str, new: New, taken: Collection[str] = ()) -> Edited:
    """Have a new step done at the same time as one that is there; what follows waits for both."""
    edit = Edit(content, taken)
    node = edit.node(element)
    into, out = edit.into(element), edit.out(element)
    if len(into) != 1 or len(out) != 1 or local(node) not in ANY_TASK:
        raise EditRefused(N_("只有前后各一条路的步骤旁边才能加同时进行的步骤。"))
    scope = edit.scope(node)
    gates = [edit.element(scope, "parallelGateway", "", "", edit.id_of(f"{element}_{word}"), near=node) for word in ("together", "joined")]
    for gate in gates:
        edit.into_lane(gate, edit.lane_of(element))
    before, after = into[0], out[0]
    edit.put_in(before, gates[0])
    edit.put_in(after, gates[1])
    step = edit.new(new, before)
    ways = [edit.flow(scope, gates[0], step), edit.flow(scope, step, gates[1])]
    picture = edit.fresh_picture()
    if picture.is_drawn and element in picture.boxes:
        edit.place_on(before, gates[0], "")
        edit.place_on(after, gates[1], "")
        box = picture.boxes[element]
        edit.stand(step, new.lane or edit.lane_of(element), box.x, [box.bottom + 40 + box.height / 2])
    edit.touched += ways
    return edit.done(step)


def add_branch(content: bytes, gateway: str, branch: Branch, then: str = "", taken: Collection[str] = ()) -> Edited:
    """Give a gateway another way out.

    Args:
        then: The element to which the way goes on; without it the one where its other ways meet.

    Raises:
        EditRefused: it is no gateway, or nobody can tell where the way goes on.
    """
    edit = Edit(content, taken)
    node = edit.node(gateway)
    if local(node) not in GATEWAYS:
        raise EditRefused(N_("只有决定或并行处能加分支。"))
    target = then or edit.meeting(gateway)
    if branch.leads in ("on", "step") and not target:
        raise EditRefused(N_("请选这条分支接着走到哪一步。"), "then")
    element = edit.branch(node, branch, target)
    if element:
        source = edit.picture.boxes.get(gateway)
        if source is not None:
            words = room(branch.name) + 30 if branch.name else 0
            edit.stand(element, branch.step.lane if branch.step else "", source.right + max(GAP + 5, words), [])
    return edit.done(element or gateway)


def add_deadline(
    content: bytes, host: str, limit: str | int, start: str, then: New, name: str = "", name_en: str = "", taken: Collection[str] = ()
) -> Edited:
    """Have something done when a step is not done in time: the step itself goes on.

    Args:
        limit: Key of a limit of the profile, or a number of hours.
        start: FEEL; the instant at which the clock starts; without it the moment at which the step is reached.
        then: Who does what: a task for people, or a service such as `tell`.
    """
    edit = Edit(content, taken)
    node = edit.node(host)
    if local(node) not in ANY_TASK:
        raise EditRefused(N_("只有任务和调用的流程能加超时处理。"))
    if not limit:
        raise EditRefused(N_("请选一个时限。"), "limit")
    scope = edit.scope(node)
    event = edit.element(scope, "boundaryEvent", name or "超时未办", name_en or "Overdue", edit.id_of(f"{host}_overdue"), near=node)
    event.set("attachedToRef", host)
    event.set("cancelActivity", "false")
    identifier = event.get("id", "")
    definition = etree.SubElement(event, f"{{{BPMN}}}timerEventDefinition", {"id": edit.id_of(f"{identifier}_definition")})
    begins = edit.fit(start, "start") or "now()"
    when = f'({begins}) + duration("PT{limit}H")' if isinstance(limit, int) else f'due("{edit.fit(limit, "limit")}", {begins})'
    edit.formal(definition, "timeDate", when)
    edit.arrange(event)
    edit.into_lane(event, edit.lane_of(host))
    step = edit.new(then, "", scope=scope, near=event, lane=then.lane or edit.lane_of(host))
    end = edit.element(scope, "endEvent", "已处理", "Done", edit.id_of(f"{step}_done"), near=edit.node(step))
    edit.into_lane(end, edit.lane_of(step))
    ways = [edit.flow(scope, event, step), edit.flow(scope, step, end)]
    picture = edit.fresh_picture()
    at = picture.boxes.get(host)
    if at is not None:
        edit.sit_on(identifier, host, below=not edit.is_above(then.lane or edit.lane_of(host), edit.lane_of(host)))
        edit.stand(step, edit.lane_of(step), at.x, [at.bottom + 60 + 40], length=GAP + 36)
        box = picture.boxes[step]
        picture.add(end.get("id", ""), Box(box.right + GAP + 2, box.middle[1] - 18, 36, 36))
        edit.widen_for(end.get("id", ""))
    edit.touched += [*ways, identifier, end.get("id", "")]
    return edit.done(identifier)


def _fork(edit: Edit, spot: Spot, kind: str, named: New, branches: Sequence[Branch]) -> Edited:
    """Put a gateway with ways into a diagram."""
    if len(branches) < 2:
        raise EditRefused(N_("至少要两条分支。"))
    going_on = [branch for branch in branches if branch.leads in ("on", "step")]
    if not going_on:
        raise EditRefused(N_("至少要有一条分支接着往下走。"))
    if sum(branch.is_default for branch in branches) > 1:
        raise EditRefused(N_("只能有一条分支是“其他情况”。"))
    flow = edit.spot(spot)
    first = edit.flows[flow]
    scope = edit.scope(first)
    source, target = first.get("sourceRef", ""), first.get("targetRef", "")
    lane = edit.lane_of(source) or edit.lane_of(target)
    words = edit.id_of(snake(named.name_en) or CALLED[kind])
    gate = edit.element(scope, kind, named.name, named.name_en, words, near=edit.node(source))
    edit.into_lane(gate, lane)
    edit.put_in(flow, gate)
    behind = edit.out(gate.get("id", ""))[0]
    meets = gate.get("id", "")
    is_joined = len(going_on) > 1
    if is_joined:
        join = edit.element(scope, kind, "", "", edit.id_of(f"{gate.get('id')}_joined"), near=gate)
        edit.into_lane(join, lane)
        edit.put_in(behind, join)
        meets = join.get("id", "")
        behind = edit.out(meets)[0]
    # The way that goes on straight is the flow that `put_in` made; the others are new.
    straight = next((branch for branch in branches if branch.leads == "on"), None)
    made: list[tuple[Branch, str]] = []
    ahead = edit.out(gate.get("id", ""))[0]
    if straight is not None:
        edit.describe(edit.flows[ahead], straight, gate)
    goal = edit.flows[ahead].get("targetRef", "")
    for branch in branches:
        if branch is not straight:
            made.append((branch, edit.branch(gate, branch, goal)))
    if straight is None:
        edit.cut(ahead)
        # the flows in the order of the branches: nothing else to do, each has its own
    inner = [element for _, element in made if element]
    picture = edit.fresh_picture()
    if picture.is_drawn and source in picture.boxes and target in picture.boxes:
        lead = 10 * -(-max([GAP + 5, *(room(branch.name) + 30 for branch in branches if branch.name)]) // 10)
        wide = max((picture_size(picture, element)[0] for element in inner), default=0.0)
        width = 50 + (lead + wide if inner else 0) + (GAP + 50 if is_joined else 0) + (lead - GAP if inner == [] and is_joined else 0)
        width = 20 * -(-width // 20) + 10  # so that both gateways stand on the grid
        left, row = edit.column(flow, width, behind)
        row = picture.find_row(edit.scope_id(first), lane, (left, left + width), 50, [row], [flow, behind, ahead])
        picture.add(gate.get("id", ""), Box(left, row - 25, 50, 50))
        if is_joined:
            picture.add(meets, Box(left + width - 50, row - 25, 50, 50))
        if straight is not None:
            picture.lines[ahead] = [(left + 50, row), (left + width - 50 if is_joined else left + width + GAP, row)]
        for place, (branch, element) in enumerate(made):
            if element:
                wanted = [row] if straight is None and place == 0 else [row + 120 * (place + (straight is not None))]
                edit.stand(element, branch.step.lane if branch.step else lane, left + 50 + lead, wanted)
        picture.lines.pop(ahead, None)
    edit.touched += [flow, behind, gate.get("id", ""), meets, *edit.out(gate.get("id", ""))]
    for element in inner:
        edit.touched += [element, *edit.out(element), *edit.into(element)]
    return edit.done(gate.get("id", ""))


# ── moving and removing ──


def move(content: bytes, element: str, flow: str) -> Edited:
    """Take a step from where it is and put it on a flow; the steps around its old place are joined.

    Raises:
        EditRefused: it has not exactly one way out, or the flow is its own.
    """
    edit = Edit(content, ())
    node = edit.node(element)
    into, out = edit.into(element), edit.out(element)
    if local(node) not in (*ANY_TASK, "intermediateCatchEvent", "intermediateThrowEvent") or len(out) != 1 or not into:
        raise EditRefused(N_("这一步不能移动：它前后不是各有一条路。"))
    if flow not in edit.flows:
        raise EditRefused(N_("没有这条连线，图可能刚改过。"))
    if flow in (*into, *out):
        raise EditRefused(N_("这一步已经在那里。"))
    if edit.scope(edit.flows[flow]) is not edit.scope(node):
        raise EditRefused(N_("不能移到别的子流程里。"))
    behind = edit.flows[out[0]]
    old_target = behind.get("targetRef", "")
    if any(edit.flows[way].get("sourceRef") == old_target for way in into):
        raise EditRefused(N_("这一步不能移动：它前后不是各有一条路。"))
    for way in into:
        edit.aim(way, old_target)
    new_target = edit.flows[flow].get("targetRef", "")
    edit.aim(flow, element)
    edit.aim(out[0], new_target)
    picture = edit.picture
    box = picture.boxes.get(element)
    edit.fresh_picture()
    if box is not None:
        scope = edit.scope_id(node)
        carried = {event: offset(picture.boxes[event], box) for event, host in picture.hosts.items() if host == element and event in picture.boxes}
        for gone in (element, *carried):
            picture.boxes.pop(gone, None)
            picture.words.pop(gone, None)
        for way in [*into, flow, out[0], *(way for event in carried for way in edit.out(event))]:
            picture.lines.pop(way, None)
        picture.close_gap(scope, box.x - 1, box.right + GAP)
        edit.place_on(flow, element, edit.lane_of(element), keep=box, behind=out[0])
        fresh = picture.boxes[element]
        for event, (x, y) in carried.items():
            old = Box(fresh.x + x, fresh.y + y, 36, 36)
            picture.add(event, old)
            edit.touched += [event, *edit.out(event)]
    edit.touched += [*into, flow, out[0]]
    return edit.done(element)


def movable(content: bytes) -> dict[str, tuple[str, str]]:
    """Return the steps that can be moved, each with the flow on which it goes when moved one step up, and one step down; empty where it cannot."""
    try:
        edit = Edit(content, ())
    except EditRefused:  # too large
        return {}
    found: dict[str, tuple[str, str]] = {}
    for element, node in edit.nodes.items():
        into, out = edit.into(element), edit.out(element)
        if local(node) not in ANY_TASK or len(out) != 1 or not into:
            continue
        up = down = ""
        source = edit.flows[into[0]].get("sourceRef", "")
        before = edit.into(source)
        is_plain = len(into) == 1 and len(before) == 1 and len(edit.out(source)) == 1
        if is_plain and source in edit.nodes and local(edit.nodes[source]) != "boundaryEvent":
            up = before[0]
        after = edit.flows[out[0]].get("targetRef", "")
        behind = edit.out(after)
        if len(behind) == 1 and len(edit.into(after)) == 1:
            down = behind[0]
        found[element] = "" if up in out else up, "" if down in into else down
    return found


def remove(content: bytes, element: str, keep: str = "") -> Edited:
    """Take an element out of a diagram; what led to it leads to what followed.

    With a decision go the branches that nothing else leads to; with a step what happens when it is late. A place where ways
    met is gone when a single one is left.

    Args:
        keep: Of a decision, the flow whose branch stays; without it the default or the first.

    Raises:
        EditRefused: the start, or the only end.
    """
    edit = Edit(content, ())
    node = edit.node(element)
    kind, scope = local(node), edit.scope(node)
    if kind == "startEvent":
        raise EditRefused(N_("开始不能删。"))
    ends = [child for child in scope if isinstance(child.tag, str) and local(child) == "endEvent"]
    if kind == "endEvent" and len(ends) == 1:
        raise EditRefused(N_("这是唯一的结束，不能删。"))
    into, out = edit.into(element), edit.out(element)
    before = edit.reached(scope)
    boxes = {element: edit.picture.boxes.get(element)}
    focus = edit.flows[into[0]].get("sourceRef", "") if into else node.get("attachedToRef", "")
    kept = keep if keep in out else node.get("default", "") if node.get("default", "") in out else (out[0] if out else "")
    onward = edit.flows[kept].get("targetRef", "") if kept and kind != "boundaryEvent" else ""
    for way in out:
        edit.cut(way)
    for way in into:
        if onward and edit.flows[way].get("sourceRef") != onward:
            edit.aim(way, onward)
            edit.touched.append(way)
        else:
            edit.cut(way)
    edit.drop(node)
    boxes |= edit.drop_lost(scope, before)
    picture = edit.fresh_picture()
    for identifier in boxes:
        for drawn in (picture.boxes, picture.words):
            drawn.pop(identifier, None)
    for way in edit.touched:
        picture.lines.pop(way, None)
    for box in sorted((box for box in boxes.values() if box is not None), key=lambda entry: -entry.x):
        if box.width > 40:
            picture.close_gap(scope.get("id", ""), box.x - 1, box.right + GAP)
    while focus not in edit.nodes and focus:
        focus = onward if onward in edit.nodes else next(iter(edit.nodes), "")
    return edit.done(focus)


def lead_to(content: bytes, flow: str, target: str) -> Edited:
    """Have a flow lead to another element, forward or back.

    Raises:
        EditRefused: nothing can lead there.
    """
    edit = Edit(content, ())
    if flow not in edit.flows:
        raise EditRefused(N_("没有这条连线，图可能刚改过。"))
    node = edit.node(target)
    source = edit.flows[flow].get("sourceRef", "")
    if local(node) in ("startEvent", "boundaryEvent"):
        raise EditRefused(N_("不能走到开始或附着的事件。"), "target")
    if edit.scope(node) is not edit.scope(edit.flows[flow]):
        raise EditRefused(N_("只能走到同一个流程里的步骤。"), "target")
    if source == target:
        raise EditRefused(N_("不能走回这一步自己。"), "target")
    edit.aim(flow, target)
    edit.touched.append(flow)
    return edit.done(source)


def join_up(content: bytes, source: str, target: str, taken: Collection[str] = ()) -> Edited:
    """Draw a flow from a step that leads nowhere."""
    edit = Edit(content, taken)
    node, goal = edit.node(source), edit.node(target)
    if local(node) == "endEvent" or (edit.out(source) and local(node) not in GATEWAYS):
        raise EditRefused(N_("这一步后面已经有路了。"))
    if local(goal) in ("startEvent", "boundaryEvent") or edit.scope(node) is not edit.scope(goal) or source == target:
        raise EditRefused(N_("不能走到开始或附着的事件。"), "target")
    edit.touched.append(edit.flow(edit.scope(node), node, goal))
    return edit.done(source)


def cut_branch(content: bytes, flow: str) -> Edited:
    """Take a way out of a decision; steps to which nothing else leads go with it."""
    edit = Edit(content, ())
    if flow not in edit.flows:
        raise EditRefused(N_("没有这条连线，图可能刚改过。"))
    source = edit.flows[flow].get("sourceRef", "")
    scope = edit.scope(edit.flows[flow])
    if len(edit.out(source)) < 3:
        raise EditRefused(N_("决定至少要留两条分支；不要这个决定，请删掉决定本身。"))
    before = edit.reached(scope)
    edit.cut(flow)
    edit.drop_lost(scope, before)
    return edit.done(source)


# ── lanes ──


def add_lane(content: bytes, role: str, name: str, process: str = "") -> Edited:
    """Add a lane for a role, below the others.

    Raises:
        EditRefused: the diagram has no pool.
    """
    edit = Edit(content, ())
    scope = edit.process(process)
    lanes = scope.find(f"{{{BPMN}}}laneSet")
    if lanes is None:
        raise EditRefused(N_("这张图没有泳道，请在图形编辑器里先画一个泳池。"))
    identifier, count = role, 2
    while identifier in edit.used:
        identifier, count = f"{role}.{count}", count + 1
    lane = markup.make(lanes, f"{{{BPMN}}}lane", {"id": identifier, "name": edit.fit(name, "name")})
    markup.append(lanes, lane)
    picture = edit.fresh_picture()
    pool = picture.boxes.get(picture.pools.get(scope.get("id", ""), ""))
    last = [picture.boxes[entry] for entry in picture.lanes[scope.get("id", "")] if entry in picture.boxes]
    if pool is not None and last:
        height = max(140.0, 10 * -(-(room(name) + 16) // 10))
        bottom, left, width = pool.bottom, last[0].x, last[0].width
        picture.make_room(scope.get("id", ""), bottom, height, 1)
        for box in last:
            if box.bottom > bottom:  # the lowest lane grew with the pool
                box.height -= height
        picture.add(identifier, Box(left, bottom, width, height))
    return edit.done(identifier)


def rename_lane(content: bytes, lane: str, name: str) -> Edited:
    """Give a lane another name; it grows when the name needs the room."""
    edit = Edit(content, ())
    node = edit.lane(lane)
    if not name.strip():
        raise EditRefused(N_("请填名称。"), "name")
    node.set("name", edit.fit(name, "name"))
    picture = edit.fresh_picture()
    box = picture.boxes.get(lane)
    need = room(name) + 16
    if box is not None and box.height < need:
        process = next((key for key, lanes in picture.lanes.items() if lane in lanes), "")
        picture.make_room(process, box.bottom, 10 * -(-(need - box.height) // 10), 1)
    return edit.done(lane)


def remove_lane(content: bytes, lane: str) -> Edited:
    """Take an empty lane away.

    Raises:
        EditRefused: steps stand in it, or it is the last one.
    """
    edit = Edit(content, ())
    node = edit.lane(lane)
    if any((entry.text or "").strip() in edit.nodes for entry in node.findall(f"{{{BPMN}}}flowNodeRef")):
        raise EditRefused(N_("这条泳道里还有步骤，先把它们移到别的泳道。"))
    parent = node.getparent()
    if parent is None or len(parent.findall(f"{{{BPMN}}}lane")) == 1:
        raise EditRefused(N_("至少要有一条泳道。"))
    process = next((key for key, lanes in edit.picture.lanes.items() if lane in lanes), "")
    markup.remove(node)
    box = edit.picture.boxes.pop(lane, None)
    picture = edit.fresh_picture()
    if box is not None:
        above = next(
            (picture.boxes[entry] for entry in picture.lanes[process] if entry in picture.boxes and picture.boxes[entry].bottom == box.y), None
        )
        pieces = [name for name, points in picture.lines.items() if any(box.y < y < box.bottom for _, y in points)]
        if above is not None:
            above.height += box.height
        else:
            below = next(
                (picture.boxes[entry] for entry in picture.lanes[process] if entry in picture.boxes and picture.boxes[entry].y == box.bottom), None
            )
            if below is not None:
                below.y, below.height = box.y, below.height + box.height
        if above is not None and not pieces:
            picture.make_room(process, above.bottom, -box.height, 1)
    remaining = edit.picture.lanes[process]
    return edit.done(remaining[0] if remaining else "")


# ── values ──


def set_values(content: bytes, element: str, values: Mapping[str, Any], taken: Collection[str] = ()) -> Edited:
    """Set what stands at an element or a flow; see `outlining.values`. An empty value takes it away, an absent one leaves it.

    Besides those, `lane` moves a step to the lane of another role and `is_default` makes a flow the one for all other cases.

    Raises:
        EditRefused: a value that cannot be; `field` names it.
    """
    edit = Edit(content, taken)
    node = edit.flows[element] if element in edit.flows else edit.node(element)
    Values(edit, node).set(values)
    return edit.done(node.get("sourceRef", "") if element in edit.flows else element)


def change_kind(content: bytes, element: str, kind: str) -> Edited:
    """Make an element another kind of the same family; what only the old kind has is gone.

    Raises:
        EditRefused: it is of another family.
    """
    edit = Edit(content, ())
    node = edit.node(element)
    now = local(node)
    if now == "endEvent" and kind in ("end", "terminate"):
        for child in list(node):
            if isinstance(child.tag, str) and child.tag.endswith("EventDefinition"):
                markup.remove(child)
        if kind == "terminate":
            markup.append(node, markup.make(node, f"{{{BPMN}}}terminateEventDefinition", {"id": edit.id_of(f"{element}_definition")}))
        return edit.done(element)
    family = TASKS if now in ANY_TASK and now not in PARTS else GATEWAYS if now.endswith("Gateway") else ()
    if kind not in family:
        raise EditRefused(N_("这一种元素不能改成那一种。"), "kind")
    if kind == now:
        return Edited(content, element)
    node.tag = f"{{{BPMN}}}{kind}"
    for old, tags in OF_KIND.items():
        if old != kind:
            for tag in tags:
                for entry in extensions(node, tag):
                    edit.drop_extension(node, entry)
    if kind != "callActivity":
        markup.unset(node, "calledElement")
    for script in node.findall(f"{{{BPMN}}}script"):
        markup.remove(script)
    markup.unset(node, "scriptFormat")
    if kind == "parallelGateway":
        markup.unset(node, "default")
        for way in edit.out(element):
            condition = edit.flows[way].find(f"{{{BPMN}}}conditionExpression")
            if condition is not None:
                markup.remove(condition)
    return edit.done(element)


__all__ = [
    "GATEWAYS",
    "TASKS",
    "Branch",
    "EditRefused",
    "Edited",
    "New",
    "Spot",
    "add_beside",
    "add_branch",
    "add_deadline",
    "add_decision",
    "add_lane",
    "add_parallel",
    "add_step",
    "change_kind",
    "cut_branch",
    "join_up",
    "lead_to",
    "movable",
    "move",
    "remove",
    "remove_lane",
    "rename_lane",
    "set_values",
]

"""Trials: scenarios run in memory, walks by hand, and past and running cases replayed through a draft before it is deployed."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import calendars, clock, drafts, feel, procedures, profiles, replay, scenarios, trials
from engine.errors import DraftLocked, DraftOutdated, InvalidInput, NotFound
from engine.forms import Field, Form
from engine.permissions import Permission
from engine.procedures import Deployed
from engine.replay import Difference
from engine.scenarios import HandAct
from engine.workflow.simulating import Walk
from models import Organisation, Profile, Trial, TrialKind, TrialState
from web import diagrams, downloads, words
from web.errors import sentence
from web.guards import requires
from web.language import either, joined

views = Blueprint("trials", __name__, url_prefix="/studio")

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
MAX_ACT = 4_000
MAX_SHOWN = 400
OUTCOMES: Mapping[str, Any] = {
    "same": _l("走法、时限、经办都一样"),
    "aside": _l("走法一样，时限或经办不同"),
    "other": _l("走另一条路"),
    "stuck": _l("新版走不下去"),
    "incomparable": _l("没有比较"),
}
LOOKS = {
    "same": ("done", "check"),
    "aside": ("half", "clock"),
    "other": ("dai", "open"),
    "stuck": ("past", "alert"),
    "incomparable": ("line", "minus"),
}
REASONS: Mapping[str, Any] = {
    "unlike": _l("在内存里按原版回放，与操作日志不符。"),
    "failed": _l("在内存里按原版回放，中途走不下去。"),
    "moved": _l("这个个案办理中换过流程版本。"),
    "no_beginning": _l("开案时的数据没有保存。"),
    "no_record": _l("有办结的步骤没有留下表单。"),
}
WHAT: Mapping[str, Any] = {
    "walked": _l("依次经过"),
    "never": _l("不得经过"),
    "state": _l("最后状态"),
    "course": _l("第几轮"),
    "conclusion": _l("结论"),
    "open": _l("还开着的步骤"),
    "records": _l("表单份数"),
    "items": _l("整改事项"),
    "extensions": _l("延期次数"),
    "packets": _l("评审资料份数"),
    "notices": _l("通知份数"),
    "accountability": _l("移交约谈督查"),
    "late": _l("超期"),
    "told": _l("告知了谁"),
    "owner": _l("负责机构"),
    "refused": _l("应当被拒的提交"),
}
CLOCK_WAYS: Mapping[str, Any] = {"later": _l("更晚"), "earlier": _l("更早"), "new": _l("新增"), "gone": _l("不再计")}


def what_is(key: str) -> str:
    """Return what an expectation is about, in words."""
    head, _blank, rest = key.partition(" ")
    if head == "done_by":
        return str(_("谁办“%(step)s”", step=rest))
    if head == "due":
        return str(_("“%(limit)s”的期限", limit=rest))
    return str(WHAT.get(key, key))


# ── the overview ──


@views.get("/<key>/trials")
@requires(Permission.PROCEDURE_EDIT)
def index(key: str) -> ResponseReturnValue:
    """Show what can be tried: the scenarios with how they came out last, a walk by hand, a replay."""
    procedure, files, version = trials.files_of(g.session, key)
    found = trials.find(g.session, key, actor=g.actor)
    last = next((trial for trial in found if trial.kind is TrialKind.SCENARIOS), None)
    came_out = {row["key"]: row["holds"] for row in last.result.get("scenarios", ()) if row["holds"] is not None} if last else {}
    return render_template(
        "trials/index.html",
        key=key,
        procedure=procedure,
        version=version,
        scenarios=scenarios.scenarios(files),
        came_out=came_out,
        last=last,
        replays=[trial for trial in found if trial.kind is TrialKind.REPLAY],
        profiles=g.session.scalars(sa.select(Profile).order_by(Profile.key)).all(),
        most=trials.MAX_CASES,
    )


@views.post("/<key>/trials/scenarios")
@requires(Permission.PROCEDURE_EDIT)
def run_all(key: str) -> ResponseReturnValue:
    """Run every scenario."""
    try:
        trial = trials.start(g.session, g.actor, key, TrialKind.SCENARIOS, {})
    except InvalidInput as error:
        return _unfit(key, error)
    rows = trial.result["scenarios"]
    differ, left = sum(row["holds"] is False for row in rows), sum(row["holds"] is None for row in rows)
    told = _("%(count)s 个情景，%(differ)s 个与预期不同。", count=len(rows), differ=differ)
    if left:
        told += " " + _("还有 %(left)s 个没有试走，请再按一次“全部试走”。", left=left)
    flash(told, "done" if not differ and not left else "past")
    return redirect(url_for("trials.index", key=key))


@views.post("/<key>/trials")
@requires(Permission.PROCEDURE_EDIT)
def start(key: str) -> ResponseReturnValue:
    """Begin a replay."""
    wanted = {name: request.form.get(name, "") for name in ("since", "until", "profile", "state", "most")}
    try:
        trial = trials.start(g.session, g.actor, key, TrialKind.REPLAY, wanted)
    except InvalidInput as error:
        return _unfit(key, error)
    return redirect(url_for("trials.show", key=key, trial_id=trial.id))


def _unfit(key: str, error: InvalidInput) -> ResponseReturnValue:
    flash(_("没有试走：%(reason)s", reason=error.fields.get("what") or sentence(error)), "past")
    return redirect(url_for("trials.index", key=key))


# ── one scenario ──


@views.get("/<key>/trials/scenarios/<name>")
@requires(Permission.PROCEDURE_EDIT)
def scenario(key: str, name: str) -> ResponseReturnValue:
    """Run one scenario and show what came of it, with the steps walked."""
    procedure, deployed, result = _ran(key, name)
    cases = [
        {
            "result": case,
            "way": [_step(deployed, element) for element, _at in case.walked if _told(deployed, element)][:MAX_SHOWN],
            "open": [(_called(deployed, element), count) for element, count in case.current.items()],
            "failed_at": _called(deployed, case.failed_at) if case.failed_at else "",
            "judgements": [
                (
                    _in_words(deployed, what_is(found.what)),
                    found,
                    _in_words(deployed, found.wanted, found.what),
                    _in_words(deployed, found.found, found.what),
                )
                for found in sorted(case.judgements, key=lambda found: (found.holds is None, bool(found.holds)))
            ],
            "url": url_for("trials.scenario_diagram", key=key, name=name, process=deployed.specification.main, case=place),
            "choices": [
                (url_for("trials.scenario_diagram", key=key, name=name, process=process, case=place), label)
                for process, label in diagrams.processes(deployed)
            ],
        }
        for place, case in enumerate(result.cases)
    ]
    return render_template("trials/scenario.html", key=key, procedure=procedure, found=result, cases=cases, name=name)


@views.get("/<key>/trials/scenarios/<name>/<process>.json")
@requires(Permission.PROCEDURE_EDIT)
def scenario_diagram(key: str, name: str, process: str) -> ResponseReturnValue:
    """Return a diagram with the steps that a scenario walked."""
    _procedure, deployed, result = _ran(key, name)
    place = request.args.get("case", 0, type=int)
    case = result.cases[place] if 0 <= place < len(result.cases) else None
    if case is None:
        raise NotFound
    return diagrams.drawn(
        deployed, process, done=[element for element, _at in case.walked], current={**dict.fromkeys(case.inside, 1), **case.current}
    )


def _ran(key: str, name: str) -> tuple[Any, Deployed, scenarios.Result]:
    procedure, files, _version = trials.files_of(g.session, key)
    try:
        results, deployed = trials.run_scenarios(g.session, files, name), trials.ready(files)
    except InvalidInput:
        raise NotFound from None
    if not results:
        raise NotFound
    return procedure, deployed, results[0]


def _current(walk: Walk) -> dict[str, int]:
    """Return where a walk stands: the open steps and the parts they lie in."""
    return {**dict.fromkeys(walk.inside, 1), **Counter(item.element for item in walk.items.values())}


def _in_words(deployed: Deployed, text: str, what: str = "") -> str:
    """Return an expectation with what its steps, forms, limits and states are called in place of their ids."""
    default = _default() if what == "late" else None
    states = {state.value: str(label) for state, label in words.STATES.items()} if what == "state" else {}

    def named(match: re.Match[str]) -> str:
        if default is not None:
            return _limit_name(match[0], default)
        if match[0] in states:
            return states[match[0]]
        form = deployed.forms.get(match[0])
        return _called(deployed, match[0]) if form is None else either(form.title, form.title_en)

    return re.sub(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[a-z]+", named, text)


def _party(capacity: str) -> str:
    own = {"reporting": _("报送机构"), "item": _("整改单位")}
    return own.get(capacity) or str(words.PARTIES.get(capacity, capacity))


def _called(deployed: Deployed, element_id: str | None, other: Deployed | None = None) -> str:
    """Return what an element is called, in one version or the other."""
    for version in (deployed, other):
        element = version.specification.elements.get(element_id or "") if version is not None else None
        if element is not None:
            return either(element.name, element.name_en) or element.id
    return element_id or ""


def _told(deployed: Deployed, element_id: str) -> bool:
    element = deployed.specification.elements.get(element_id)
    return element is not None and bool(element.name) and not element.kind.endswith("Gateway")


def _step(deployed: Deployed, element_id: str) -> dict[str, Any]:
    element = deployed.specification.elements[element_id]
    role = words.role_name(element.role) if element.role and element.kind == "userTask" else ""
    return {"id": element.id, "name": _called(deployed, element_id), "kind": element.kind, "role": role}


# ── a scenario, written in the browser ──


@views.get("/<key>/scenarios/<name>")
@requires(Permission.PROCEDURE_EDIT)
def edit(key: str, name: str) -> ResponseReturnValue:
    """Show the form in which a scenario is written; `new` for one that is not there yet."""
    return _edit(key, name, {})


def _edit(key: str, name: str, errors: Mapping[str, str], status: int = 200) -> ResponseReturnValue:
    procedure, files, _version = trials.files_of(g.session, key)
    path = f"{scenarios.FOLDER}{name}.toml"
    if name != "new" and path not in files:
        raise NotFound
    try:
        said = scenarios.said_of(files[path]) if path in files else {}
        deployed = trials.ready(files)
    except (ValueError, InvalidInput):
        raise NotFound from None
    case = (said.get("cases") or [{}])[0]
    expect = case.get("expect", {})
    typed = request.form if errors else None
    outlines = []
    for process, label in diagrams.processes(deployed):
        steps = [deployed.specification.elements[element] for element in deployed.specification.processes[process].outline]
        outlines.append((label, [step for step in steps if step.name and not step.kind.endswith("Gateway")]))
    rows = [{**row, "answers_text": _written(row.get("answers", {}))} for row in case.get("steps", ())]
    return (
        render_template(
            "trials/edit.html",
            key=key,
            procedure=procedure,
            name=name,
            said=said,
            rows=[*rows, *[{}] * 3],
            tasks=[step for _label, steps in outlines for step in steps if step.kind == "userTask"],
            outlines=outlines,
            walked=set(expect.get("walked", ())),
            never=set(expect.get("never", ())),
            state=expect.get("state", ""),
            states=[(state.value, label) for state, label in words.STATES.items()],
            more=len(said.get("cases", ())) > 1 or any(case.get(part) for part in ("also", "notice", "answers")),
            draft=drafts.find(g.session, key),
            errors=errors,
            typed=typed,
        ),
        status,
    )


@views.post("/<key>/scenarios/<name>")
@requires(Permission.PROCEDURE_EDIT)
def save(key: str, name: str) -> ResponseReturnValue:
    """Save a scenario into the draft."""
    _procedure, files, _version = trials.files_of(g.session, key)
    file = name if name != "new" else request.form.get("file", "").strip()
    errors: dict[str, str] = {}
    if not NAME.fullmatch(file) or file == "new":
        errors["file"] = _("用小写字母、数字和下划线，字母开头，最多 60 个。")
    elif name == "new" and f"{scenarios.FOLDER}{file}.toml" in files:
        errors["file"] = _("已经有这个名字的情景。")
    if not request.form.get("name", "").strip():
        errors["name"] = _("请填名称。")
    if errors:
        return _edit(key, name, errors, 422)
    path = f"{scenarios.FOLDER}{file}.toml"
    try:
        said = scenarios.said_of(files[path]) if path in files else {}
        deployed = trials.ready(files)
    except (ValueError, InvalidInput):
        raise NotFound from None
    content = _changed(said, deployed)
    if not _saved(key, {path: content}, _("情景：%(name)s", name=request.form["name"].strip()[:60])):
        return redirect(url_for("trials.edit", key=key, name=name))
    return redirect(url_for("trials.scenario", key=key, name=file))


@views.post("/<key>/scenarios/<name>/delete")
@requires(Permission.PROCEDURE_EDIT)
def delete(key: str, name: str) -> ResponseReturnValue:
    """Take a scenario out of the draft."""
    path = f"{scenarios.FOLDER}{name}.toml"
    _procedure, files, _version = trials.files_of(g.session, key)
    if path not in files:
        raise NotFound
    _saved(key, {path: None}, _("删除情景 %(name)s", name=name))
    return redirect(url_for("trials.index", key=key))


def _saved(key: str, changes: Mapping[str, bytes | None], what: str) -> bool:
    """Save files into the draft, beginning one if there is none; tell if somebody else writes."""
    draft = drafts.find(g.session, key) or drafts.begin(g.session, g.actor, key)
    try:
        drafts.save(g.session, g.actor, draft, changes, draft.revision, what)
    except (DraftLocked, DraftOutdated) as error:
        flash(sentence(error), "past")
        return False
    flash(_("已存进草稿。"), "done")
    return True


def _changed(said: Mapping[str, Any], deployed: Deployed) -> bytes:
    """Return a scenario with what the form says of its first case; what the form does not show stays as it is."""
    known = deployed.specification.elements
    cases = [dict(entry) for entry in said.get("cases", ())] or [{}]
    case, before = cases[0], cases[0].get("steps", [])
    steps = []
    for place in range(min(request.form.get("rows", 0, type=int), 300)):
        element = request.form.get(f"element-{place}", "")
        if element not in known:
            continue
        row = dict(before[place]) if place < len(before) else {}
        row["element"] = element
        for name in ("person", "after"):
            value = request.form.get(f"{name}-{place}", "").strip()[:80]
            row.pop(name, None)
            if value:
                row[name] = value
        row.pop("time", None)
        if time := request.form.get(f"time-{place}", type=int):
            row["time"] = time
        row.pop("answers", None)
        if answers := _read_answers(request.form.get(f"answers-{place}", "")):
            row["answers"] = answers
        steps.append(row)
    case["steps"] = steps
    expect = dict(case.get("expect", {}))
    wanted = {element: request.form.get(f"expect-{element}", "") for element in known}
    walked = [element for element in expect.get("walked", ()) if wanted.get(element) == "walked"]
    walked += [element for element in wanted if wanted[element] == "walked" and element not in walked]
    expect["walked"] = _in_order(walked, expect.get("walked", ()), deployed)
    expect["never"] = [element for element in wanted if wanted[element] == "never"]
    state = request.form.get("state", "")
    expect.pop("state", None)
    if state in {entry.value for entry in words.STATES}:
        expect["state"] = state
    case["expect"] = {name: value for name, value in expect.items() if value not in ([], "")}
    head = {name: value for name, value in said.items() if name not in ("name", "name_en", "cases")}
    name = " ".join(request.form["name"].split())[:80]
    return scenarios.toml({"name": name, "name_en": " ".join(request.form.get("name_en", "").split())[:120] or name, **head, "cases": cases})


def _in_order(walked: list[str], before: Iterable[str], deployed: Deployed) -> list[str]:
    """Return elements in the order in which a reader meets them; an order that was given stays."""
    given = list(before)
    if set(walked) <= set(given):
        return [element for element in given if element in walked]
    order = {element: place for place, element in enumerate(_outline(deployed, deployed.specification.main, set()))}
    return sorted(walked, key=lambda element: order.get(element, len(order)))


def _outline(deployed: Deployed, process: str, seen: set[str]) -> list[str]:
    if process in seen or process not in deployed.specification.processes:
        return []
    seen.add(process)
    found: list[str] = []
    for element in deployed.specification.processes[process].outline:
        called = deployed.specification.elements[element].called
        found += _outline(deployed, called, seen) if called else []
        found.append(element)
    return found


def _written(answers: Mapping[str, Any]) -> str:
    """Return answers as lines of `field = value`."""
    text = scenarios.toml({**answers, "cases": ()}).decode() if answers else ""
    return text.strip()


def _read_answers(text: str) -> dict[str, Any]:
    """Return the answers of lines of `field = value`; a value that is nothing else is a text."""
    found: dict[str, Any] = {}
    for line in text[:8_000].splitlines():
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
            continue
        try:
            found[name] = tomllib.loads(f"v = {value}", parse_float=Decimal)["v"]
        except (ValueError, RecursionError):
            found[name] = {_("是"): True, _("否"): False}.get(value, value)
    return found


# ── by hand ──


@views.get("/<key>/walk")
@requires(Permission.PROCEDURE_EDIT)
def walk(key: str) -> ResponseReturnValue:
    """Walk through the procedure by hand: the acts so far stand in the address, and are played anew each time."""
    procedure, hand, deployed, profile = _hand(key)
    if not hand.has_begun:
        return render_template("trials/walk.html", key=key, procedure=procedure, hand=hand, rows=[], profile=profile, way=[], acts=[], messages=[])
    rows = []
    for item in hand.walk.items.values():
        form = deployed.forms.get(item.form)
        element = deployed.specification.elements[item.element]
        rows.append(
            {
                "item": item,
                "name": _called(deployed, item.element),
                "role": words.role_name(item.role),
                "party": _party(item.capacity),
                "person": hand.name_of(item),
                "limit": _limit_name(item.clock.key, profile) if item.clock else "",
                "fields": _asked(form, element.outputs, hand.standard(item)) if form is not None else [],
            }
        )
    done = request.args.getlist("act")
    acts = [json.loads(text) for text in done][: len(hand.acts)]
    told = [{"text": _act_text(deployed, act), "way": way} for act, way in zip(hand.acts, _ways(hand, deployed), strict=True)]
    elements = deployed.specification.elements
    return render_template(
        "trials/walk.html",
        key=key,
        procedure=procedure,
        hand=hand,
        rows=rows,
        profile=profile,
        way=[_step(deployed, step.element) for step in hand.walk.walked if _told(deployed, step.element)][-MAX_SHOWN:],
        told=told,
        acts=[json.dumps(act, ensure_ascii=False, separators=(",", ":")) for act in acts],
        timers=[(_called(deployed, timer.element), timer.due_at) for timer in sorted(hand.walk.timers.values(), key=lambda timer: timer.due_at)],
        messages=[(message, _called(deployed, element)) for message, element in hand.walk.messages.values()],
        problem_at=_called(deployed, hand.problem_at) if hand.problem_at else "",
        state=next((label for state, label in words.STATES.items() if state.value == hand.walk.facts["state"]), ""),
        clocks=[(_limit_name(found.key, profile), found) for found in hand.walk.clocks if found.met_at is None and found.withdrawn_at is None],
        choices=[(url_for("trials.walk_diagram", key=key, process=process, act=done), label) for process, label in diagrams.processes(deployed)],
        elements=elements,
    )


@views.get("/<key>/walk/<process>.json")
@requires(Permission.PROCEDURE_EDIT)
def walk_diagram(key: str, process: str) -> ResponseReturnValue:
    """Return a diagram with where a walk by hand has come."""
    _procedure, hand, deployed, _profile = _hand(key)
    if not hand.has_begun:
        return diagrams.drawn(deployed, process)
    return diagrams.drawn(deployed, process, done=[step.element for step in hand.walk.walked], current=_current(hand.walk))


@views.post("/<key>/walk")
@requires(Permission.PROCEDURE_EDIT)
def keep(key: str) -> ResponseReturnValue:
    """Make a scenario of a walk by hand and save it into the draft."""
    _procedure, hand, _deployed, _profile = _hand(key)
    name, file = " ".join(request.form.get("name", "").split())[:80], request.form.get("file", "").strip()
    _same, files, _version = trials.files_of(g.session, key)
    if not name or not NAME.fullmatch(file) or file == "new" or f"{scenarios.FOLDER}{file}.toml" in files or not hand.has_begun:
        flash(_("没有存：请填名称，以及还没有用过的文件名（小写字母、数字和下划线）。"), "past")
        return redirect(url_for("trials.walk", key=key, act=request.form.getlist("act")))
    content = hand.as_scenario(name, " ".join(request.form.get("name_en", "").split())[:120] or name)
    if not _saved(key, {f"{scenarios.FOLDER}{file}.toml": content}, _("情景：%(name)s", name=name)):
        return redirect(url_for("trials.walk", key=key, act=request.form.getlist("act")))
    return redirect(url_for("trials.scenario", key=key, name=file))


def _hand(key: str) -> tuple[Any, scenarios.Hand, Deployed, profiles.Values]:
    """Play the acts that the request carries, the one that is added last."""
    procedure, files, _version = trials.files_of(g.session, key)
    try:
        deployed = trials.ready(files)
    except InvalidInput:
        raise NotFound from None
    profile = _default()
    office = calendars.current(g.session, str(profile.values.get("office_closes", "18:00")))
    acts = [_act(text) for text in request.values.getlist("act")[: scenarios.MAX_HAND]]
    if added := _added(deployed):
        return_to = [*request.args.getlist("act"), json.dumps(added, ensure_ascii=False, separators=(",", ":"))]
        abort(redirect(url_for("trials.walk", key=key, act=return_to)))
    return procedure, scenarios.Hand(deployed, scenarios.defaults(files), profile, office, acts), deployed, profile


def _act(text: str) -> HandAct:
    try:
        said = json.loads(text[:MAX_ACT])
        what, name, place, answers = str(said["w"]), str(said.get("n", "")), int(said.get("p", 0)), said.get("a", {})
        if not isinstance(answers, dict):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise InvalidInput from None
    return HandAct(what, name, place, answers)


def _added(deployed: Deployed) -> dict[str, Any] | None:
    """Return the act that the page's form adds."""
    if request.method != "GET" or "do" not in request.args:
        return None
    what, _colon, rest = request.args["do"].partition(":")
    if what == "wait":
        return {"w": "wait"}
    if what == "send":
        return {"w": "send", "n": rest[:60]}
    name, _colon, place = rest.partition(":")
    element = deployed.specification.elements.get(name)
    form = deployed.forms.get(element.plan.form) if element is not None and element.plan is not None else None
    answers: dict[str, Any] = {}
    for entry in _used(form, element.outputs) if form is not None and element is not None else ():
        field = f"{name}.{place}.{entry.key}"
        said, was = request.args.getlist(field), request.args.get(f"was.{field}", "")
        if not said or "|".join(said) == was:
            continue
        value = _typed(entry, said)
        answers[entry.key] = "@none" if value is None else value
    return {"w": "do", "n": name[:80], "p": int(place) if place.isdecimal() and len(place) < 6 else 0, "a": answers}


def _typed(entry: Field, said: list[str]) -> Any:
    value = said[0].strip()[:200]
    if entry.type == "checklist":
        return [one for one in said if one] or None
    if value == "":
        return None
    if entry.type == "checkbox":
        return value == "true"
    if entry.type == "number":
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
        return int(number) if number == number.to_integral_value() else str(number)
    return value


def _used(form: Form, outputs: Iterable[tuple[str, str]]) -> list[Field]:
    """Return the fields of a form that a step's outputs read: only they decide where the case goes."""
    read: set[str] = set()
    for _variable, text in outputs:
        read |= {name.path[1] for name in feel.check(text).names if len(name.path) > 1 and name.path[0] == "answers"}
    plain = ("radio", "select", "checkbox", "checklist", "number", "textfield", "datetime")
    return [entry for entry in form.inputs() if entry.key in read and entry.type in plain]


def _asked(form: Form, outputs: Iterable[tuple[str, str]], standard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields to ask for, each with its choices and what the defaults answer."""
    from engine import codes

    rows = []
    for entry in _used(form, outputs):
        listed = codes.lists().get(entry.values_key or "")
        choices = [(code.code, either(code.zh, code.en)) for code in (entry.values or (listed.codes if listed else ()))]
        value = standard.get(entry.key)
        if isinstance(value, bool):
            value = "true" if value else "false"
        texts = [str(one) for one in value] if isinstance(value, list) else ["" if value is None else str(value)]
        if entry.type == "checkbox":
            choices = [("true", _("是")), ("false", _("否"))]
        rows.append({"field": entry, "label": either(entry.label, entry.label_en), "choices": choices, "value": texts})
    return rows


def _act_text(deployed: Deployed, act: HandAct) -> str:
    if act.what == "wait":
        return str(_("等到下一个计时器到点"))
    if act.what == "send":
        sent = next((element for element in deployed.specification.elements.values() if element.message == act.name), None)
        return str(_("发出消息“%(name)s”", name=either(sent.name, sent.name_en) if sent is not None else act.name))
    return str(_("办理“%(step)s”", step=_called(deployed, act.name)))


def _ways(hand: scenarios.Hand, deployed: Deployed) -> list[str]:
    """Return for each act what was passed by it."""
    begins = [*hand.begins[: len(hand.acts)], len(hand.walk.walked)]
    told = []
    for begin, end in itertools.pairwise(begins):
        steps = [_called(deployed, step.element) for step in hand.walk.walked[begin:end] if _told(deployed, step.element)]
        told.append(joined(steps[1:] if len(steps) > 1 else steps))
    return told


def _default() -> profiles.Values:
    """Return the national default, whose words name the limits; read once per page."""
    if "trials_profile" not in g:
        g.trials_profile = profiles.values(g.session, profiles.in_force(g.session, profiles.DEFAULT).id)
    found: profiles.Values = g.trials_profile
    return found


def _limit_name(key: str, profile: profiles.Values) -> str:
    entry = profile.describe(key)
    return either(str(entry.get("name", key)), entry.get("name_en")) if entry else key


# ── a replay ──


@views.get("/<key>/trials/<uuid:trial_id>")
@requires(Permission.PROCEDURE_EDIT)
def show(key: str, trial_id: UUID) -> ResponseReturnValue:
    """Show how far a replay has come and what it found."""
    trial = trials.get(g.session, key, trial_id, g.actor)
    found = trials.differences(trial)
    outcome, group = request.args.get("outcome", ""), request.args.get("group", "")
    deployed = _tried(trial)
    groups: dict[str, list[Difference]] = {}
    for row in found:
        groups.setdefault(row.signature(), []).append(row)
    listed = sorted(groups.values(), key=lambda rows: (-len(rows), rows[0].number))
    shown = [
        {"place": place, "count": len(rows), "outcome": rows[0].outcome, "told": _sentences(deployed, rows[0]), "rows": rows}
        for place, rows in enumerate(listed)
        if (not outcome or rows[0].outcome == outcome) and (not group or str(place) == group)
    ]
    places = {str(row.id): either(row.name, row.name_en) for row in g.session.scalars(sa.select(Organisation))} if trial.result.get("work") else {}
    work = sorted(
        ((words.role_name(role), places.get(unit, ""), more, fewer) for role, _capacity, unit, more, fewer in trial.result.get("work", ())),
        key=lambda row: (-(row[2] - row[3]), row[0], row[1]),
    )
    default = _default()
    clocks = [(_limit_name(name, default), row) for name, row in trial.result.get("clocks", {}).items()]
    counts = [(name, OUTCOMES[name], trial.result.get("counts", {}).get(name, 0)) for name in trials.OUTCOMES]
    page = render_template(
        "trials/show.html",
        key=key,
        trial=trial,
        procedure=procedures.get(g.session, key),
        is_open=trial.state in trials.OPEN,
        counts=counts,
        groups=shown,
        work=work,
        clocks=clocks,
        same=trial.result.get("same", [])[:MAX_SHOWN],
        outcome=outcome,
        group=group,
        looks=LOOKS,
        outcomes=OUTCOMES,
        ways=CLOCK_WAYS,
        seconds=round(((trial.ended_at or clock.now()) - trial.started_at).total_seconds()),
        states=STATES,
    )
    answer = Response(page)
    if trial.state in trials.OPEN:
        answer.headers["Refresh"] = "3"  # without scripts the page follows by itself
    return answer


STATES: Mapping[TrialState, Any] = {
    TrialState.WAITING: _l("等待开始"),
    TrialState.RUNNING: _l("正在回放"),
    TrialState.DONE: _l("已走完"),
    TrialState.STOPPED: _l("已停止"),
    TrialState.FAILED: _l("中断"),
}


def _tried(trial: Trial) -> Deployed:
    return trials.ready(trials.unpack(trial.files))


@views.post("/<key>/trials/<uuid:trial_id>/stop")
@requires(Permission.PROCEDURE_EDIT)
def stop(key: str, trial_id: UUID) -> ResponseReturnValue:
    """Stop a replay; what it found stays."""
    trials.stop(g.session, g.actor, trials.get(g.session, key, trial_id, g.actor))
    return redirect(url_for("trials.show", key=key, trial_id=trial_id))


@views.get("/<key>/trials/<uuid:trial_id>/cases.csv")
@requires(Permission.PROCEDURE_EDIT)
def table(key: str, trial_id: UUID) -> ResponseReturnValue:
    """Give what a replay found as a table, a row per case."""
    trial = trials.get(g.session, key, trial_id, g.actor)
    deployed = _tried(trial)
    rows = [[_("个案"), _("结果"), _("在办"), _("差别")]]
    rows += [[number, str(OUTCOMES["same"]), "", ""] for number in trial.result.get("same", ())]
    rows += [
        [row.number, str(OUTCOMES[row.outcome]), "" if row.is_over else _("在办"), " ".join(_sentences(deployed, row))]
        for row in trials.differences(trial)
    ]
    return downloads.table(rows, f"{key}-{trial.started_at.astimezone(clock.zone()):%Y%m%d-%H%M}.csv")


@views.get("/<key>/trials/<uuid:trial_id>/cases/<number>")
@requires(Permission.PROCEDURE_EDIT)
def case(key: str, trial_id: UUID, number: str) -> ResponseReturnValue:
    """Show both walks of a case beside each other: the steps alone, nothing of what was said in them."""
    trial = trials.get(g.session, key, trial_id, g.actor)
    found = next((row for row in trials.differences(trial) if row.number == number), None)
    _history, old, new, was, would = trials.walks(g.session, trial, number)
    sides = []
    for side, followed, deployed in (("old", old, was), ("new", new, would)):
        steps = Counter(step.element for step in followed.walk.walked)
        other = Counter(step.element for step in (new if side == "old" else old).walk.walked)
        only = steps - other
        sides.append(
            {
                "side": side,
                "way": [
                    {**_step(deployed, step.element), "is_only": only.get(step.element, 0) > 0, "is_invented": step.element in followed.invented}
                    for step in followed.walk.walked
                    if _told(deployed, step.element)
                ][:MAX_SHOWN],
                "open": [(_called(deployed, item.element), words.role_name(item.role)) for item in followed.walk.items.values()],
                "url": url_for("trials.case_diagram", key=key, trial_id=trial_id, number=number, side=side, process=deployed.specification.main),
                "choices": [
                    (url_for("trials.case_diagram", key=key, trial_id=trial_id, number=number, side=side, process=process), label)
                    for process, label in diagrams.processes(deployed)
                ],
            }
        )
    return render_template(
        "trials/case.html",
        key=key,
        trial=trial,
        number=number,
        procedure=procedures.get(g.session, key),
        sides=sides,
        told=_sentences(would, found, was) if found else [],
        clocks=[_clock_row(would, row, was) for row in found.clocks] if found else [],
        outcome=found.outcome if found else "same",
        outcomes=OUTCOMES,
        looks=LOOKS,
    )


@views.get("/<key>/trials/<uuid:trial_id>/cases/<number>/<side>/<process>.json")
@requires(Permission.PROCEDURE_EDIT)
def case_diagram(key: str, trial_id: UUID, number: str, side: str, process: str) -> ResponseReturnValue:
    """Return a diagram of the old or the new version with the steps of a case."""
    _history, old, new, was, would = trials.walks(g.session, trials.get(g.session, key, trial_id, g.actor), number)
    followed, deployed = (old, was) if side == "old" else (new, would)
    walked = [step.element for step in followed.walk.walked]
    return diagrams.drawn(deployed, process, done=walked, current=_current(followed.walk))


def _sentences(deployed: Deployed, row: Difference, other: Deployed | None = None) -> list[str]:
    """Return in sentences what of a case would be otherwise."""

    def called(elements: Iterable[str]) -> str:
        return joined(_called(deployed, element, other) for element in elements)

    told = []
    if row.outcome == "incomparable":
        what, _blank, act = row.reason.partition(" ")
        told.append(_("有一步流程外的处理（%(act)s）。", act=act) if what == "act" else str(REASONS.get(row.reason, row.reason)))
    if row.outcome == "stuck":
        where = _("新版停在“%(step)s”，不能再往下走。", step=_called(deployed, row.at, other)) if row.at else _("新版不能再往下走。")
        told.append(f"{where} {row.reason}")
    if row.after:
        old_next, new_next = called([row.old_next]) if row.old_next else _("到此为止"), called([row.new_next]) if row.new_next else _("到此为止")
        told.append(_("在“%(step)s”之后分开：原来是“%(old)s”，新版是“%(new)s”。", step=called([row.after]), old=old_next, new=new_next))
    steps = {element for element in {*row.added, *row.left_out} if other is None or _told(deployed, element) or _told(other, element)}
    if added := [element for element in row.added if element in steps]:
        told.append(_("多走：%(steps)s。", steps=called(added)))
    if left_out := [element for element in row.left_out if element in steps]:
        told.append(_("少走：%(steps)s。", steps=called(left_out)))
    if row.is_reordered:
        told.append(_("步骤一样，先后不同。"))
    if row.unanswered:
        told.append(_("没有当时的答案、按空白办理：%(steps)s。", steps=called(row.unanswered)))
    if row.open_old != row.open_new:
        told.append(_("现在开着的步骤：原来是%(old)s，新版是%(new)s。", old=called(row.open_old) or _("没有"), new=called(row.open_new) or _("没有")))
    for entry in row.clocks:
        told.append(_clock_sentence(deployed, entry, other))
    for role, capacity, _unit, count in row.work:
        party = _party(capacity)
        text = _("%(party)s%(role)s多办 %(count)s 步。") if count > 0 else _("%(party)s%(role)s少办 %(count)s 步。")
        told.append(text % {"party": party, "role": words.role_name(role), "count": abs(count)})
    return told


def _clock_row(deployed: Deployed, entry: Mapping[str, Any], other: Deployed | None = None) -> dict[str, Any]:
    default = _default()
    return {
        "name": _limit_name(entry["key"], default) if entry["key"] != entry["element"] else _called(deployed, entry["element"], other),
        "step": _called(deployed, entry["element"], other) if entry["element"] else "",
        "old": _span(entry["old"]),
        "new": _span(entry["new"]),
        "old_late": entry["old_late"],
        "new_late": entry["new_late"],
        "way": replay.direction(entry),
    }


def _clock_sentence(deployed: Deployed, entry: Mapping[str, Any], other: Deployed | None) -> str:
    row = _clock_row(deployed, entry, other)
    if entry["new_key"]:
        other_name = _limit_name(entry["new_key"], _default())
        text = _("“%(step)s”的时限由“%(old)s”改为“%(new)s”。", step=row["step"], old=row["name"], new=other_name)
    elif row["way"] == "new":
        text = _("新增时限“%(name)s”。", name=row["name"])
    elif row["way"] == "gone":
        text = _("不再计“%(name)s”。", name=row["name"])
    else:
        shift = _span(abs(entry["new"] - entry["old"]))
        text = (
            _("“%(name)s”推后 %(shift)s。", name=row["name"], shift=shift)
            if row["way"] == "later"
            else _("“%(name)s”提前 %(shift)s。", name=row["name"], shift=shift)
        )
    if row["new_late"] and not row["old_late"]:
        text += either("", " ") + _("会超期。")
    if row["old_late"] and not row["new_late"]:
        text += either("", " ") + _("不再超期。")
    return str(text)


def _span(minutes: int | None) -> str:
    """Return a span from the beginning of a case in days and hours."""
    if minutes is None:
        return "—"
    sign, minutes = ("−" if minutes < 0 else ""), abs(minutes)
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    parts = [_("%(count)s 天", count=days)] if days else []
    parts += [_("%(count)s 小时", count=hours)] if hours else []
    parts += [_("%(count)s 分钟", count=left)] if left or not parts else []
    return sign + " ".join(parts)

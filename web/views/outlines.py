"""Outlines: diagrams as numbered lists, to be read and changed by keyboard alone; the same model as the drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import pgettext

from engine import drafts, procedures
from engine.errors import N_, DraftLocked, DraftOutdated, InvalidInput, NotFound
from engine.permissions import Permission
from engine.workflow import outline_edits as edits
from engine.workflow import outlining
from engine.workflow.checking import Complaint
from engine.workflow.outline_edits import Branch, Edited, EditRefused, New, Spot
from engine.workflow.outlining import Outline, Step, Way
from engine.workflow.reading import UnreadableDiagram
from models import CaseState, Role
from web import listed_files, outline_words, words
from web.errors import sentence
from web.guards import requires
from web.language import either, joined, say
from web.outline_desk import Control, Desk, kept, opened, take
from web.outline_words import Names

views = Blueprint("outlines", __name__)

ADDED = ("after", "before", "branch_step", "decision", "parallel", "beside", "deadline", "branch", "lane")
BRANCHES = 4
# Where a complaint belongs in the form of a step.
PLACES = {
    "unknown_form": "form",
    "no_form": "form",
    "unknown_limit": "limit",
    "unknown_party": "organisation",
    "unknown_service": "service",
    "empty_script": "sets",
    "unknown_process": "called",
    "unknown_state": "state",
    "no_name": "name",
    "no_condition": "condition",
    "unknown_answer": "outputs",
    "identity_leaves": "outputs",
}
WHERE = {N_("条件"): "condition", N_("定时"): "timer", "role": "task_role", "completionCondition": "completion", "loopCardinality": "cardinality"}


# ── reading ──


@views.get("/studio/<key>/outline")
@requires(Permission.PROCEDURE_EDIT)
def first(key: str) -> ResponseReturnValue:
    """Go to the outline of the main diagram; without a draft to that of the version in use."""
    draft = drafts.find(g.session, key)
    if draft is not None:
        return redirect(url_for("outlines.show", key=key, path=_main(drafts.files(g.session, draft))))
    return _in_use(key)


def _in_use(key: str, path: str | None = None) -> ResponseReturnValue:
    """Go to the outline of the version in use, of its main diagram or of one."""
    version = procedures.in_use(g.session, procedures.get(g.session, key))
    if version is None:
        raise NotFound
    return redirect(url_for("outlines.version", key=key, number=version.number, file=path))


@views.post("/studio/<key>/outline")
@requires(Permission.PROCEDURE_EDIT)
def begin(key: str) -> ResponseReturnValue:
    """Begin a draft and go to its outline."""
    number = request.form.get("number", type=int)
    drafts.begin(g.session, g.actor, key, procedures.numbered(g.session, key, number) if number else None)
    return redirect(url_for("outlines.first", key=key))


def _main(files: Mapping[str, bytes]) -> str:
    diagrams = sorted((path for path in files if path.endswith(".bpmn")), key=lambda path: ("/" in path, path))
    if not diagrams:
        raise NotFound
    return diagrams[0]


@views.get("/studio/<key>/outline/<path:path>")
@requires(Permission.PROCEDURE_EDIT)
def show(key: str, path: str) -> ResponseReturnValue:
    """Show a diagram of the draft as a list, with what may be done at each step; without a draft, that of the version in use."""
    if drafts.find(g.session, key) is None:
        return _in_use(key, path)
    desk = opened(key, path)
    if path.endswith(".dmn"):
        return listed_files.table_page(desk)
    if path.startswith("forms/"):
        return listed_files.form_page(desk)
    if not path.endswith(".bpmn"):
        raise NotFound
    return _page(desk)


def _page(desk: Desk, status: int = 200, problem: str = "") -> ResponseReturnValue:
    names = Names.of(g.session, desk.files)
    findings = procedures.check(desk.files)
    why_not = ""
    try:
        outline: Outline | None = desk.outline()
        movable = edits.movable(desk.content)
    except UnreadableDiagram as error:
        outline, movable = None, {}
        why_not = _("这个文件读不成流程图，清单列不出来。")
        if error.reason == "too_many_elements":
            why_not = _("这张图太大，清单列不出来：最多 %(most)s 个元素。请把一部分放进另一张图。", most=outlining.MAX_NODES)
    here = [_finding(entry) for entry in findings if entry.file == desk.path]
    undo, redo = drafts.steps(g.session, desk.draft)
    held = drafts.holder(g.session, desk.draft)
    return (
        render_template(
            "outlines/show.html",
            key=desk.key,
            path=desk.path,
            desk=desk,
            procedure=desk.draft.procedure,
            revision=desk.draft.revision,
            outline=outline,
            movable=movable,
            listed=_listed(desk.files, names),
            others_listed=_others_listed(desk.files, names),
            told=_Told(outline, names, here) if outline else None,
            findings=here,
            others=_others(findings, desk.path),
            undo=undo,
            redo=redo,
            holder=held if held and held.person_id != g.actor.person_id else None,
            problem=problem,
            why_not=why_not,
            can_edit=True,
            here=lambda other: url_for("outlines.show", key=desk.key, path=other),
            roles=_roles(),
        ),
        status,
    )


def _others(findings: Sequence[Complaint], path: str) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for entry in findings:
        if entry.file and entry.file != path:
            counts[entry.file] = counts.get(entry.file, 0) + 1
    return sorted(counts.items())


def _finding(entry: Complaint) -> dict[str, Any]:
    return {
        "level": entry.level,
        "element": entry.element or "",
        "code": entry.code,
        "text": say(entry.sentence, dict(entry.fields)),
        "mend": say(entry.mend, dict(entry.fields)) if entry.mend else "",
    }


def _listed(files: Mapping[str, bytes], names: Names) -> list[tuple[str, str]]:
    """Return the diagrams with what they are called, the main one first."""
    by_file: dict[str, str] = {}
    for entry in names.own["processes"]:
        by_file.setdefault(entry["file"], either(entry["name"], entry["name_en"]) or entry["id"])
    return [(path, by_file.get(path, path)) for path in sorted(files, key=lambda path: ("/" in path, path)) if path.endswith(".bpmn")]


def _others_listed(files: Mapping[str, bytes], names: Names) -> list[tuple[str, str]]:
    """Return the decision tables and forms with what they are called."""
    tables = [
        (path, _("决策表：%(name)s", name=path.removeprefix("decisions/").removesuffix(".dmn"))) for path in sorted(files) if path.endswith(".dmn")
    ]
    return tables + sorted(((path, names.form(path[6:-5])) for path in files if path.startswith("forms/")), key=lambda entry: entry[1])


class _Told:
    """Words of an outline for its template."""

    def __init__(self, outline: Outline, names: Names, findings: Sequence[Mapping[str, Any]] = ()) -> None:
        self.outline, self.names = outline, names
        self._steps = {step.id: step for step in reversed(list(outline.steps()))}
        self._findings: dict[str, list[Mapping[str, Any]]] = {}
        for finding in findings:
            self._findings.setdefault(finding["element"], []).append(finding)
        self.lanes = {lane.id: lane.name for part in outline.parts for lane in part.lanes}

    def step(self, element: str) -> Step | None:
        """Return a step by the id of its element."""
        return self._steps.get(element)

    def findings(self, element: str) -> Sequence[Mapping[str, Any]]:
        """Return what there is to say about an element."""
        return self._findings.get(element, ())

    def title(self, step: Step) -> str:
        """Return what a step is called."""
        return outline_words.title(step)

    def kind(self, step: Step) -> str:
        """Return what a step is."""
        return outline_words.kind(step)

    def facts(self, step: Step) -> list[outline_words.Fact]:
        """Return what stands below a step."""
        return outline_words.facts(step, self.names, self.lanes)

    def label(self, step: Step, way: Way) -> str:
        """Return what a branch is called."""
        return outline_words.way_label(step, way, self.names)

    def end(self, way: Way) -> str:
        """Return where a flow leads."""
        return outline_words.way_end(way)

    def drawn(self, kind: str) -> str:
        """Return what something that is drawn besides is called."""
        return str(outline_words.DRAWN.get(kind, kind))


@views.get("/procedures/<key>/versions/<int:number>/outline")
@requires(Permission.PROCEDURE_READ)
def version(key: str, number: int) -> ResponseReturnValue:
    """Show a diagram of a version as a list, for reading."""
    found = procedures.numbered(g.session, key, number)
    files = procedures.version_files(g.session, found.id)
    path = request.args.get("file") or _main(files)
    if path not in files or not path.endswith(".bpmn"):
        raise NotFound
    names = Names.of(g.session, files)
    try:
        outline = outlining.read(files[path], path)
    except UnreadableDiagram:
        raise NotFound from None
    return render_template(
        "outlines/show.html",
        key=key,
        path=path,
        procedure=found.procedure,
        number=number,
        outline=outline,
        movable={},
        listed=_listed(files, names),
        others_listed=[],
        told=_Told(outline, names),
        findings=[],
        others=[],
        can_edit=False,
        here=lambda other: url_for("outlines.version", key=key, number=number, file=other),
    )


# ── acts of one press ──


@views.post("/studio/<key>/outline/<path:path>")
@requires(Permission.PROCEDURE_EDIT)
def act(key: str, path: str) -> ResponseReturnValue:
    """Move or remove a step, rename or remove a lane, undo or redo."""
    desk = opened(key, path)
    what, _colon, element = request.form.get("act", "").partition(":")
    revision = request.form.get("revision", 0, type=int)
    if what in ("undo", "redo"):
        turn = drafts.undo if what == "undo" else drafts.redo
        paths = turn(g.session, g.actor, desk.draft, revision)
        flash(_("已撤销。") if what == "undo" else _("已重做。") if paths else _("没有可撤销的。"), "done")
        return redirect(desk.url())
    if path.endswith(".dmn"):
        return listed_files.table_act(desk, revision)
    if path.startswith("forms/"):
        return listed_files.form_act(desk, revision)
    if not path.endswith(".bpmn"):
        raise InvalidInput
    step = desk.outline().find(element)
    name = outline_words.title(step) if step else element
    up, down = edits.movable(desk.content).get(element, ("", ""))
    doing: dict[str, tuple[Callable[[], Edited], str]] = {
        "up": (lambda: edits.move(desk.content, element, up), _("“%(name)s”上移了一步", name=name)),
        "down": (lambda: edits.move(desk.content, element, down), _("“%(name)s”下移了一步", name=name)),
        "move": (lambda: edits.move(desk.content, element, request.form.get("flow", "")), _("移动了“%(name)s”", name=name)),
        "remove": (lambda: edits.remove(desk.content, element, request.form.get("keep", "")), _("删掉了“%(name)s”", name=name)),
        "cut": (lambda: edits.cut_branch(desk.content, element), _("删掉了一条分支")),
        "lane_name": (lambda: edits.rename_lane(desk.content, element, request.form.get("name", "")), _("改了泳道的名称")),
        "lane_remove": (lambda: edits.remove_lane(desk.content, element), _("删掉了泳道")),
        "kind": (lambda: edits.change_kind(desk.content, element, request.form.get("kind", "")), _("改了“%(name)s”的种类", name=name)),
    }
    if what not in doing:
        raise InvalidInput
    run, told = doing[what]
    try:
        return _kept(desk, run(), told, revision)
    except EditRefused as error:
        return _page(desk, 422, say(error.sentence, error.fields))


def _kept(desk: Desk, edited: Edited, told: str, revision: int) -> ResponseReturnValue:
    """Save an edit and come back to its step."""
    found = outlining.read(edited.content).find(edited.element)
    return kept(desk, edited.content, told, revision, place=f"s-{edited.element}", number=found.number if found else "")


@views.route("/studio/<key>/fields/<element>/<path:path>", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_EDIT)
def field(key: str, element: str, path: str) -> ResponseReturnValue:
    """Change a field of a form, or add one behind it."""
    return listed_files.field_page(opened(key, path), element)


# ── values ──


@views.route("/studio/<key>/steps/<element>/<path:path>", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_EDIT)
def step(key: str, element: str, path: str) -> ResponseReturnValue:
    """Change what stands at a step and its ways, with the findings about it."""
    desk = opened(key, path)
    try:
        outline = desk.outline()
    except UnreadableDiagram:
        raise NotFound from None
    found = outline.find(element)
    if found is None:
        raise NotFound
    names = Names.of(g.session, desk.files)
    controls = _controls(found, names, outline)
    ways = [_way_controls(found, way, outline) for way in found.ways] if len(found.ways) > 1 or found.kind.endswith("Gateway") else []
    problem = ""
    status = 200
    warnings: list[str] = []
    if request.method == "POST":
        try:
            content = _written(desk, found, controls, ways)
            fresh = _worse(desk, content, {element, *(way.flow for way in found.ways)})
            if fresh and not request.form.get("anyway"):
                warnings = _at_fields(fresh, controls, ways, element)
                status = 422
            else:
                told = _("改了“%(name)s”", name=outline_words.title(outlining.read(content).find(element) or found))
                return _kept(desk, Edited(content, element), told, request.form.get("revision", 0, type=int))
        except EditRefused as error:
            status, told = 422, say(error.sentence, error.fields)
            problem = _blame(error.field, told, [*controls, *(control for group in ways for control in group[1])])
        except (DraftOutdated, DraftLocked) as error:
            status, problem = 409, sentence(error)
    page = render_template(
        "outlines/step.html",
        key=key,
        path=path,
        desk=desk,
        procedure=desk.draft.procedure,
        revision=desk.draft.revision,
        step=found,
        told=_Told(outline, names),
        title=outline_words.title(found),
        kind=outline_words.kind(found),
        controls=controls,
        ways=ways,
        names=_offered(names),
        problem=problem,
        warnings=warnings,
        places=[entry for entry in outline_words.places(outline) if entry[0] not in {way.flow for way in found.ways}],
        kinds=_kinds(found),
        findings=[_finding(entry) for entry in procedures.check(desk.files) if entry.file == path and entry.element == element]
        if request.method == "GET"
        else [],
        is_movable=element in edits.movable(desk.content),
    )
    return page, status


def _kinds(found: Step) -> list[tuple[str, str]]:
    if found.kind == "endEvent":
        return [("end", str(outline_words.KINDS["endEvent"])), ("terminate", str(outline_words.KINDS["endEvent:terminate"]))]
    family = edits.TASKS if found.kind in outline_words.NEW_KINDS or found.kind in ("task", "manualTask") else ()
    if found.is_gateway:
        family = edits.GATEWAYS
    return [(kind, str(outline_words.KINDS[kind])) for kind in family]


def _written(desk: Desk, found: Step, controls: Sequence[Control], ways: Sequence[tuple[Way, list[Control]]]) -> bytes:
    """Return the diagram with what the page sent; the controls keep what was typed."""
    for control in [*controls, *(control for _way, group in ways for control in group)]:
        take(control)
    sent = {control.name: control.value for control in controls}
    changed = {name: value for name, value in sent.items() if value != _plain(found.values.get(name, found.lane if name == "lane" else ""))}
    content = desk.content
    if changed:
        content = edits.set_values(content, found.id, changed, desk.taken).content
    chosen = request.form.get("default", "")
    for way, group in ways:
        by_name = {control.name.split("-")[0]: control.value for control in group}
        target = by_name.pop("target", "")
        if target and target != way.target:
            content = edits.lead_to(content, way.flow, target).content
        now = {"name": way.name, "name_en": way.name_en, "condition": way.condition}
        is_default = way.flow == chosen
        if is_default:
            by_name.pop("condition", None)
        fresh: dict[str, Any] = {name: value for name, value in by_name.items() if value != now.get(name, "")}
        if is_default != way.is_default and found.kind != "parallelGateway":
            fresh = {"is_default": is_default, **fresh}
        if fresh:
            content = edits.set_values(content, way.flow, fresh, desk.taken).content
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [tuple(row) if isinstance(row, tuple | list) else row for row in value]
    return value


def _worse(desk: Desk, content: bytes, elements: set[str]) -> list[Complaint]:
    """Return the errors about these elements that an edit would bring."""

    def about(files: Mapping[str, bytes]) -> dict[tuple[str, str], Complaint]:
        found = [entry for entry in procedures.check(files) if entry.level == "error" and entry.file == desk.path and entry.element in elements]
        return {(entry.code, str(sorted(entry.fields.items()))): entry for entry in found}

    before = about(desk.files)
    return [entry for key, entry in about({**desk.files, desk.path: content}).items() if key not in before]


def _at_fields(complaints: Sequence[Complaint], controls: Sequence[Control], ways: Sequence[tuple[Way, list[Control]]], element: str) -> list[str]:
    """Put each complaint at its field; return those that have none."""
    left = []
    for entry in complaints:
        told = say(entry.sentence, dict(entry.fields))
        group = controls if entry.element == element else next((group for way, group in ways if way.flow == entry.element), controls)
        where = str(entry.fields.get("where", ""))
        name = PLACES.get(entry.code) or WHERE.get(where, where)
        control = next((each for each in group if each.name.split("-")[0] == name), None)
        if control is None and where:
            control = next((each for each in group if each.kind == "rows" and any(where in row for row in each.value or ())), None)
        if control is None:
            left.append(told)
        else:
            control.errors.append(told)
    return left


def _blame(name: str, told: str, controls: Sequence[Control]) -> str:
    """Put an error at its field; return it where there is none."""
    for control in controls:
        if name and control.name.split("-")[0] == name:
            control.errors.append(told)
            return ""
    return told


# ── controls ──


def _roles() -> list[tuple[str, str]]:
    return [(role.value, str(words.ROLES[role])) for role in Role]


def _lanes(outline: Outline, names: Names) -> list[tuple[str, str]]:
    found = []
    for part in outline.parts:
        for lane in part.lanes:
            role = names.role(lane.role)
            found.append(
                (lane.id, role if either(lane.name, role) in (role, "") else _("%(lane)s（%(role)s）", lane=either(lane.name, role), role=role))
            )
    return found


def _limits(names: Names) -> list[tuple[str, str]]:
    return [("", _("不设时限"))] + [
        (limit["key"], either(limit["name"], limit["name_en"]) + " · " + names.amounts(limit)) for limit in names.host["limits"]
    ]


def _forms(names: Names) -> list[tuple[str, str]]:
    named = ((key, either(form.title, form.title_en) or key) for key, form in names.forms.items())
    return [("", _("请选择")), *sorted(named, key=lambda entry: entry[1])]


def _services(names: Names) -> list[tuple[str, str]]:
    return [("", _("请选择")), *((entry["name"], outline_words.service(entry["name"])) for entry in names.host["services"])]


def _processes(names: Names) -> list[tuple[str, str]]:
    return [("", _("请选择"))] + [(entry["id"], names.process(entry["id"])) for entry in names.own["processes"]]


def _start_hint() -> str:
    return _("常用：%(list)s", list=joined(f"{key} = {name}" for key, name in outline_words.STARTS))


def _named(values: Mapping[str, Any]) -> list[Control]:
    return [
        Control("name", _("名称"), value=values.get("name", ""), optional=False, hint=_("办理的人看到的名称，如“院内死亡讨论”。")),
        Control("name_en", _("英文名称"), value=values.get("name_en", "")),
    ]


def _documented(values: Mapping[str, Any]) -> list[Control]:
    return [
        Control(
            "documentation",
            _("说明与依据"),
            "area",
            values.get("documentation", ""),
            _("做什么、按哪条规定，如“72 小时内由相关科室参加院内讨论。来源：四川规定”。"),
        ),
        Control("documentation_en", _("说明与依据（英文）"), "area", values.get("documentation_en", ""), group="more"),
    ]


def _controls(found: Step, names: Names, outline: Outline) -> list[Control]:
    """Return the fields of a step, by what it is."""
    values = found.values
    controls = _named(values)
    if found.kind == "userTask":
        controls += _task_controls(found, names, outline)
    elif found.kind == "serviceTask":
        controls += [
            Control("service", _("服务"), "select", values.get("service", ""), choices=_services(names), optional=False),
            Control("arguments", _("交给服务的"), "rows", values.get("arguments", []), columns=[("name", _("名称")), ("feel", _("算式"))]),
        ]
    elif found.kind == "scriptTask":
        hint = _("一行一个，后面的看得到前面的结果。")
        controls.append(Control("sets", _("算出"), "rows", values.get("sets", []), hint, columns=[("name", _("变量")), ("feel", _("算式"))]))
    elif found.kind == "businessRuleTask":
        tables = [(entry["key"], entry["key"]) for entry in names.own["decisions"]]
        controls += [
            Control("table", _("决策表"), "select", values.get("table", ""), choices=[("", _("请选择")), *tables], optional=False),
            Control("decision", _("表中的决策"), value=values.get("decision", ""), optional=False),
            Control("result", _("结果记为"), value=values.get("result", ""), optional=False, hint=_("变量的名称，如 verdict。")),
            Control("inputs", _("给表的"), "rows", values.get("inputs", []), columns=[("name", _("输入")), ("feel", _("算式"))]),
        ]
    elif found.kind == "callActivity":
        controls.append(Control("called", _("进入哪个流程"), "select", values.get("called", ""), choices=_processes(names), optional=False))
    controls += _event_controls(found, names)
    lanes = _lanes(outline, names)
    if found.kind != "userTask" and found.kind != "boundaryEvent" and len(lanes) > 1:
        controls.append(Control("lane", _("在哪条泳道"), "select", found.lane, choices=lanes))
    controls += _documented(values)
    if found.kind in ("userTask", "callActivity", "subProcess"):
        controls += _several_controls(values)
    controls += [
        Control(
            "state",
            _("个案状态变为"),
            "select",
            values.get("state", ""),
            choices=[("", _("不变")), *((state.value, str(words.STATES[state])) for state in CaseState)],
            group="more",
        ),
        Control("phase", _("阶段"), value=values.get("phase", ""), hint=_("如 P4。"), group="more"),
        Control(
            "arms",
            _("到这里开始计时"),
            "rows",
            values.get("arms", []),
            _("跨几步的时限：从这里开始，到写“停止计时”的那一步为止。"),
            columns=[("limit", pgettext("one", "时限")), ("feel", _("从何时起算"))],
            group="more",
        ),
        Control("meets", _("到这里停止计时"), "rows", values.get("meets", []), columns=[("limit", pgettext("one", "时限"))], group="more"),
    ]
    return controls


def _task_controls(found: Step, names: Names, outline: Outline) -> list[Control]:
    values = found.values
    organisations = [("", _("负责的妇幼保健机构")), *((entry["key"], say(entry["text"])) for entry in names.host["organisations"])]
    return [
        Control(
            "lane",
            _("谁办"),
            "select",
            found.lane,
            choices=_lanes(outline, names),
            optional=False,
            hint=_("没有要的角色时，先在清单末尾加一条泳道。"),
        ),
        Control("form", pgettext("one", "表单"), "select", values.get("form", ""), choices=_forms(names), optional=False),
        Control("organisation", _("哪个单位"), "select", values.get("organisation", ""), choices=organisations),
        Control("limit", pgettext("one", "时限"), "select", values.get("limit", ""), choices=_limits(names), hint=_("数值按各地的地方参数。")),
        Control("from", _("从何时起算"), "feel", values.get("from", ""), _start_hint()),
        Control(
            "outputs",
            _("交给后面用的"),
            "rows",
            values.get("outputs", []),
            _("从表单的回答里记下后面要判断的，如 decision = answers.decision。"),
            columns=[("name", _("变量")), ("feel", _("算式"))],
        ),
        Control("due", _("截止（算式，代替时限）"), "feel", values.get("due", ""), group="more"),
        Control("person", _("只给这个人"), "feel", values.get("person", ""), group="more"),
        Control("exclude", _("不能是这个人"), "feel", values.get("exclude", ""), _("四眼：前一步的办理人不能办这一步。"), group="more"),
        Control("task_role", _("谁办（算式，代替泳道）"), "feel", values.get("task_role", ""), group="more"),
        Control("shows", _("打开时先显示"), "select", values.get("shows", ""), choices=_forms(names), group="more"),
        Control("fresh", _("重办时重新填，另存一份"), "check", values.get("fresh", ""), group="more"),
        Control("item", _("整改事项"), "feel", values.get("item", ""), group="more"),
    ]


def _event_controls(found: Step, names: Names) -> list[Control]:
    values, controls = found.values, []
    if "interrupts" in values:
        hint = _("打断：到时就不再等原来那一步。")
        controls.append(Control("interrupts", _("打断原来那一步"), "check", values["interrupts"], hint))
    if found.event == "timer":
        kinds = [("timeDate", _("到某个时刻")), ("timeDuration", _("过一段时间"))]
        hint = _("如 %(limit)s，或 %(sum)s。", limit='due("facility_discussion", case.event_at)', sum='case.event_at + duration("PT72H")')
        controls += [
            Control("timer_kind", _("怎样定时"), "select", values.get("timer_kind", "timeDate"), choices=kinds),
            Control("timer", _("时间"), "feel", values.get("timer", ""), hint, optional=False),
        ]
    if found.event == "message":
        controls += [
            Control("message", _("消息的名称"), value=values.get("message", ""), optional=False),
            Control("message_role", _("谁可以提出"), value=values.get("message_role", ""), hint=_("角色的代码，几个角色用空格隔开，如 qc_officer。")),
            Control("message_form", _("用哪张表单"), "select", values.get("message_form", ""), choices=_forms(names)),
        ]
    return controls


def _several_controls(values: Mapping[str, Any]) -> list[Control]:
    return [
        Control(
            "collection",
            _("对名单里每一个都办"),
            value=values.get("collection", ""),
            hint=_("一个名单变量，如 panel；空着就只办一次。"),
            group="more",
        ),
        Control("item_name", _("每一个叫作"), value=values.get("item_name", ""), group="more"),
        Control("results", _("结果收在"), value=values.get("results", ""), group="more"),
        Control("result_name", _("每个结果叫作"), value=values.get("result_name", ""), group="more"),
        Control("completion", _("够了就停"), "feel", values.get("completion", ""), group="more"),
        Control("in_turn", _("一个一个地办"), "check", values.get("in_turn", False), group="more"),
    ]


def _way_controls(found: Step, way: Way, outline: Outline) -> tuple[Way, list[Control]]:
    mark = f"-{way.flow}"
    controls = [
        Control(f"name{mark}", _("分支名称"), value=way.name, hint=_("如“是”。")),
        Control(f"name_en{mark}", _("英文名称"), value=way.name_en),
    ]
    if found.kind != "parallelGateway" and len(found.ways) > 1:
        controls.append(Control(f"condition{mark}", _("在什么条件下走"), "feel", way.condition))
    controls.append(Control(f"target{mark}", _("走到"), "select", way.target, choices=outline_words.targets(outline, [found.id]), optional=False))
    return way, controls


def _offered(names: Names) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the names that an expression may use, in groups, with what they are."""
    variables = [
        (entry["name"], names.variable(entry["name"]) if entry["name"] in names.answers else entry["from"]) for entry in names.own["variables"]
    ]
    return [
        (_("个案"), [(f"case.{entry['name']}", say(entry["text"])) for entry in names.host["case"]]),
        (_("前面各步记下的"), variables),
        (_("地方参数"), [(f"profile.{name}", "") for name in names.host["profile"]]),
        (_("函数"), [(entry["signature"], say(entry["text"]) if entry["text"] else "") for entry in names.host["functions"] if entry["text"]]),
    ]


# ── adding ──


@views.route("/studio/<key>/add/<what>/<path:path>", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_EDIT)
def add(key: str, what: str, path: str) -> ResponseReturnValue:
    """Add a step, a decision, steps at the same time, a branch, something for when it is late, or a lane."""
    desk = opened(key, path)
    if what not in ADDED:
        raise NotFound
    try:
        outline = desk.outline()
    except UnreadableDiagram:
        raise NotFound from None
    at = request.values.get("at", "")
    flow = request.values.get("flow", "")
    found = outline.find(at)
    way = next((entry for entry in outline.ways() if entry[1].flow == flow), None)
    if what != "lane" and found is None and way is None:
        raise NotFound
    names = Names.of(g.session, desk.files)
    groups = _new_controls(what, found or (way[0] if way else None), names, outline)
    problem, status = "", 200
    everything = [control for _legend, controls in groups for control in controls]
    if request.method == "POST":
        for control in everything:
            take(control)
        sent = {control.name: control.value for control in everything}
        try:
            edited, told = _added(desk, what, at, flow, sent)
            return _kept(desk, edited, told, request.form.get("revision", 0, type=int))
        except EditRefused as error:
            status, problem = 422, _blame(error.field, say(error.sentence, error.fields), everything)
        except (DraftOutdated, DraftLocked) as error:
            status, problem = 409, sentence(error)
    place = _place(what, found, way, outline)
    page = render_template(
        "outlines/add.html",
        key=key,
        path=path,
        desk=desk,
        procedure=desk.draft.procedure,
        revision=desk.draft.revision,
        what=what,
        at=at,
        flow=flow,
        place=place,
        groups=groups,
        names=_offered(names),
        problem=problem,
        back=desk.url(at or (way[0].id if way else "")),
    )
    return page, status


def _place(what: str, found: Step | None, way: tuple[Step, Way] | None, outline: Outline) -> str:
    if way is not None:
        return dict(outline_words.places(outline)).get(way[1].flow, "")
    if found is None:
        return ""
    name = f"{found.number} {outline_words.title(found)}"
    return {
        "before": _("在“%(name)s”之前", name=name),
        "beside": _("与“%(name)s”同时", name=name),
        "deadline": _("“%(name)s”超时的时候", name=name),
        "branch": _("“%(name)s”的又一条分支", name=name),
    }.get(what, _("在“%(name)s”之后", name=name))


def _new_controls(what: str, found: Step | None, names: Names, outline: Outline) -> list[tuple[str, list[Control]]]:
    """Return the fields of a page that adds something, in groups with a legend."""
    lanes = _lanes(outline, names)
    lane = found.lane if found else ""
    if what == "lane":
        return [
            (
                "",
                [
                    Control("role", _("角色"), "select", choices=_roles(), optional=False),
                    Control("name", _("泳道名称"), hint=_("空着就用角色的名称。")),
                ],
            )
        ]
    if what == "decision":
        groups = [
            (
                "",
                [
                    Control("name", _("问题"), optional=False, hint=_("如“要院内讨论？”")),
                    Control("name_en", _("问题（英文）")),
                ],
            )
        ]
        for place in range(BRANCHES):
            groups.append((_("分支 %(number)s", number=place + 1), _branch_controls(f"-{place}", outline, lanes, lane, names, first=place == 0)))
        return groups
    if what == "branch":
        return [("", _branch_controls("-0", outline, lanes, lane, names, then=True))]
    if what == "parallel":
        return [
            (_("同时进行的第 %(number)s 步", number=place + 1), _step_controls(f"-{place}", lanes, lane, names, is_short=True)) for place in range(3)
        ]
    if what == "deadline":
        starts = [(text, str(name)) for text, name in outline_words.STARTS]
        values = found.values if found else {}
        begins = values.get("from") or ("now()" if values.get("limit") else "case.event_at")
        if begins not in dict(starts):
            starts.append((begins, begins))
        limits = [("", _("不用，填小时数")), *_limits(names)[1:]]
        return [
            (
                _("什么时候"),
                [
                    Control("limit", _("按哪个时限"), "select", found.values.get("limit", "") if found else "", choices=limits),
                    Control("hours", _("或者满多少小时"), hint=_("如 72。")),
                    Control("start", _("从何时起算"), "select", begins, choices=starts, optional=False),
                ],
            ),
            (
                _("那时做什么"),
                [
                    Control(
                        "does",
                        _("怎样处理"),
                        "select",
                        "userTask",
                        choices=[("userTask", _("由人办理一步，如催办")), ("serviceTask", _("只发一条消息"))],
                        optional=False,
                    ),
                    Control("name", _("这一步的名称"), optional=False, hint=_("如“催办院内讨论”。")),
                    Control("name_en", _("英文名称")),
                    Control("lane", _("谁办"), "select", lane, choices=lanes, optional=False),
                    Control(
                        "form", _("表单"), "select", "chase" if "chase" in names.forms else "", choices=_forms(names), hint=_("由人办理时要填。")
                    ),
                    Control("whom", _("消息发给"), "select", choices=_receivers(names), hint=_("只发消息时要填。")),
                    Control("documentation", _("说明与依据"), "area"),
                ],
            ),
        ]
    return [("", _step_controls("", lanes, lane, names))]


def _receivers(names: Names) -> list[tuple[str, str]]:
    pairs = (
        ("owner", Role.QC_OFFICER),
        ("owner", Role.MCH_HEAD),
        ("facility", Role.UNIT_HEAD),
        ("facility", Role.OBSTETRIC_SAFETY_OFFICE),
        ("township", Role.TOWNSHIP_REPORTER),
        ("administration", Role.HEALTH_ADMINISTRATION),
    )
    return [("", _("请选择"))] + [
        (f"{party}.{role.value}", _("%(party)s的%(role)s", party=names.organisation(party), role=words.ROLES[role])) for party, role in pairs
    ]


def _step_controls(mark: str, lanes: Sequence[tuple[str, str]], lane: str, names: Names, *, is_short: bool = False) -> list[Control]:
    short = [
        Control(f"name{mark}", _("名称"), optional=False, hint=_("如“院内死亡讨论”。")),
        Control(f"name_en{mark}", _("英文名称")),
        Control(f"lane{mark}", _("谁办"), "select", lane, choices=lanes, optional=False),
        Control(f"form{mark}", pgettext("one", "表单"), "select", choices=_forms(names), hint=_("由人办理时要填。")),
    ]
    if is_short:
        return short
    organisations = [(entry["key"], say(entry["text"])) for entry in names.host["organisations"]]
    kinds = [(kind, str(name)) for kind, name in outline_words.NEW_KINDS.items()]
    hint = _("一般是“由人办理”。别的种类加好以后再填细节。")
    return [
        Control(f"kind{mark}", _("种类"), "select", "userTask", choices=kinds, optional=False, hint=hint),
        *short,
        Control(f"organisation{mark}", _("哪个单位"), "select", "owner", choices=organisations),
        Control(f"limit{mark}", pgettext("one", "时限"), "select", choices=_limits(names), hint=_("数值按各地的地方参数。")),
        Control(f"from{mark}", _("从何时起算"), "feel", hint=_start_hint()),
        Control(f"documentation{mark}", _("说明与依据"), "area"),
    ]


def _branch_controls(
    mark: str, outline: Outline, lanes: Sequence[tuple[str, str]], lane: str, names: Names, *, first: bool = False, then: bool = False
) -> list[Control]:
    leads = [("on", _("直接接着走")), ("step", _("先办一个新的步骤，再接着走")), ("end", _("结束"))]
    leads += [(step_id, _("到第 %(step)s", step=name)) for step_id, name in outline_words.targets(outline)]
    controls = [
        Control(f"name{mark}", _("分支名称"), hint=_("如“是”。空着就没有这条分支。") if not then else _("如“是”。")),
        Control(f"name_en{mark}", _("英文名称")),
        Control(f"condition{mark}", _("在什么条件下走"), "feel", hint=_("空着表示“其他情况”。") if not then else ""),
        Control(f"leads{mark}", _("走到"), "select", "on" if first or not then else "step", choices=leads, optional=False),
        Control(f"step_name{mark}", _("新步骤的名称"), group="step"),
        Control(f"step_lane{mark}", _("新步骤谁办"), "select", lane, choices=lanes, group="step"),
        Control(f"step_form{mark}", _("新步骤的表单"), "select", choices=_forms(names), group="step"),
    ]
    if then:
        controls.append(
            Control(
                f"then{mark}", _("然后接着到"), "select", choices=[("", _("与别的分支汇合的地方")), *outline_words.targets(outline)], group="step"
            )
        )
    return controls


def _new(sent: Mapping[str, Any], mark: str = "", prefix: str = "") -> New:
    kind = sent.get(f"kind{mark}") or "userTask"
    values: dict[str, Any] = {}
    if kind == "userTask":
        for name in ("form", "organisation", "limit", "from"):
            if sent.get(f"{prefix}{name}{mark}"):
                values[name] = sent[f"{prefix}{name}{mark}"]
        values.setdefault("organisation", "owner")
        if not values.get("form"):
            raise EditRefused(N_("请选一张表单。"), f"{prefix}form{mark}".split("-")[0])
    if sent.get(f"documentation{mark}"):
        values["documentation"] = sent[f"documentation{mark}"]
    return New(kind, sent.get(f"{prefix}name{mark}", ""), sent.get(f"{prefix}name_en{mark}", ""), sent.get(f"{prefix}lane{mark}", ""), values)


def _branch(sent: Mapping[str, Any], mark: str) -> Branch:
    leads = sent[f"leads{mark}"]
    condition = sent.get(f"condition{mark}", "")
    step = _new(sent, mark, "step_") if leads == "step" else None
    return Branch(sent[f"name{mark}"], sent.get(f"name_en{mark}", ""), condition, not condition, leads, step)


def _added(desk: Desk, what: str, at: str, flow: str, sent: Mapping[str, Any]) -> tuple[Edited, str]:
    """Do what the page asks for. Returns the edit and what it did, in words."""
    content, taken = desk.content, desk.taken
    spot = Spot(flow=flow) if flow else Spot(before=at) if what == "before" else Spot(after=at)
    if what == "lane":
        name = sent["name"] or next((name for role, name in _roles() if role == sent["role"]), sent["role"])
        if sent["role"] not in {role.value for role in Role}:
            raise InvalidInput
        return edits.add_lane(content, sent["role"], name), _("加了泳道“%(name)s”", name=name)
    if what == "decision":
        branches = [_branch(sent, f"-{place}") for place in range(BRANCHES) if sent[f"name-{place}"]]
        if not sent["name"]:
            raise EditRefused(N_("请填问题。"), "name")
        return edits.add_decision(content, spot, sent["name"], sent["name_en"], branches, taken), _(
            "加了决定“%(name)s”", name=either(sent["name"], sent["name_en"])
        )
    if what == "branch":
        branch = _branch(sent, "-0")
        return edits.add_branch(content, at, branch, sent.get("then-0", ""), taken), _("加了分支“%(name)s”", name=either(branch.name, branch.name_en))
    if what == "parallel":
        steps = [_new(sent, f"-{place}") for place in range(3) if sent[f"name-{place}"]]
        return edits.add_parallel(content, spot, steps, taken), _("加了 %(count)s 个同时进行的步骤", count=len(steps))
    if what == "deadline":
        limit: str | int = sent["limit"]
        if sent["hours"]:
            if not sent["hours"].isdecimal() or not 1 <= int(sent["hours"]) <= 8784:
                raise EditRefused(N_("请填 1 到 8784 的整数。"), "hours")
            limit = int(sent["hours"])
        said = {"documentation": sent["documentation"]} if sent["documentation"] else {}
        if sent["does"] == "serviceTask":
            if not sent["whom"]:
                raise EditRefused(N_("请选消息发给谁。"), "whom")
            told = {**said, "service": "tell", "arguments": [("whom", f'"{sent["whom"]}"'), ("what", '"overdue"')]}
            then = New("serviceTask", sent["name"], sent["name_en"], sent["lane"], told)
        else:
            if not sent["form"]:
                raise EditRefused(N_("请选一张表单。"), "form")
            then = New(
                "userTask", sent["name"], sent["name_en"], sent["lane"], {**said, "form": sent["form"], "organisation": "owner", "fresh": "true"}
            )
        edited = edits.add_deadline(content, at, limit, sent["start"], then, taken=taken)
        return edited, _("加了超时处理“%(name)s”", name=either(then.name, then.name_en))
    new = _new(sent)
    told_ = _("加了“%(name)s”", name=either(new.name, new.name_en))
    if what == "beside":
        return edits.add_beside(content, at, new, taken), told_
    return edits.add_step(content, spot, new, taken), told_

"""The studio: drafts of procedures, changed in the browser, checked as they are drawn, deployed."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import flask
import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DateTimeLocalField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from engine import blanks, clock, drafts, drawings, organisations, permissions, procedures, profiles, vocabulary
from engine.errors import Deployment, DraftLocked, DraftOutdated, FileUnfit, InvalidInput, NotFound
from engine.permissions import Permission
from engine.workflow import mending, translating
from engine.workflow.checking import Complaint
from engine.workflow.reading import UnreadableDiagram
from models import Case, CaseKind, Person, Procedure, ProcedureApproval, ProcedureDraft, ProcedureVersion
from web import documents, downloads, json_bodies, styled, words
from web.errors import sentence
from web.forms.base import BaseForm
from web.guards import requires
from web.language import say

views = Blueprint("studio", __name__, url_prefix="/studio")

MAX_BODY = 4_500_000
"""Bytes of a request: two of the largest files, and what JSON adds."""
KINDS = {"bpmn": "diagram", "dmn": "table", "json": "form", "toml": "manifest"}


# ── the list ──


class NewForm(BaseForm):
    """A procedure that does not exist yet."""

    key = StringField(
        _l("标识"),
        [InputRequired(_l("请填标识。")), Regexp(r"[a-z][a-z0-9_]{1,39}\Z", message=_l("用小写字母、数字和下划线，字母开头，最多 40 个。"))],
    )
    name = StringField(_l("名称"), [InputRequired(_l("请填名称。")), Length(max=60)])
    name_en = StringField(_l("英文名称"), [InputRequired(_l("请填英文名称。")), Length(max=80)])
    kind = SelectField(_l("用于哪一类个案"), choices=[])


@views.get("")
@requires(Permission.PROCEDURE_EDIT)
def index() -> ResponseReturnValue:
    """List the procedures, their version in use and their drafts."""
    return _index(NewForm())


def _index(form: NewForm) -> ResponseReturnValue:
    form.kind.choices = [SelectChoice(kind.value, words.KINDS[kind]) for kind in CaseKind]
    rows = []
    for procedure in g.session.scalars(sa.select(Procedure).order_by(Procedure.key)).all():
        version = procedures.in_use(g.session, procedure)
        draft = drafts.find(g.session, procedure.key)
        held = drafts.holder(g.session, draft) if draft else None
        kind = words.KINDS[CaseKind(procedure.case_kind)]
        rows.append({"procedure": procedure, "kind": kind, "version": version, "draft": draft, "holder": held, "open_cases": _open_cases(version)})
    waiting = g.session.execute(
        sa.select(ProcedureVersion, Procedure, ProcedureApproval, Person.name)
        .join(Procedure, Procedure.id == ProcedureVersion.procedure_id)
        .join(ProcedureApproval, ProcedureApproval.version_id == ProcedureVersion.id)
        .outerjoin(Person, Person.id == ProcedureApproval.asked_by_id)
        .where(ProcedureApproval.is_approved.is_(None))
        .order_by(ProcedureApproval.asked_at)
    ).all()
    return render_template("studio/index.html", rows=rows, form=form, waiting=waiting), 422 if form.errors else 200


def _open_cases(version: ProcedureVersion | None) -> int:
    if version is None:
        return 0
    counted = sa.select(sa.func.count()).select_from(Case).where(Case.procedure_version_id == version.id, Case.ended_at.is_(None))
    return g.session.scalar(counted.where(permissions.visible(g.actor, Permission.PROCEDURE_MIGRATE))) or 0


@views.post("")
@requires(Permission.PROCEDURE_EDIT)
def new() -> ResponseReturnValue:
    """Begin a procedure that does not exist yet."""
    form = NewForm()
    form.kind.choices = [SelectChoice(kind.value, words.KINDS[kind]) for kind in CaseKind]
    if not form.validate():
        return _index(form)
    new_key, name, name_en = form.key.data or "", form.name.data or "", form.name_en.data or ""
    try:
        drafts.create(g.session, g.actor, new_key, name, name_en, CaseKind(form.kind.data), blanks.procedure(new_key, name, name_en, form.kind.data))
    except InvalidInput:
        form.key.errors = [_("已经有这个标识的流程。")]
        return _index(form)
    return redirect(url_for("studio.edit", key=new_key))


@views.get("/help")
@requires(Permission.PROCEDURE_EDIT)
def guide() -> ResponseReturnValue:
    """Tell how to add a step, what the signs mean, how to try, deploy and move cases."""
    return render_template("studio/help.html")


# ── the editor ──


@views.get("/<key>")
@requires(Permission.PROCEDURE_EDIT)
def edit(key: str) -> ResponseReturnValue:
    """Show the editor of a procedure; without a draft, the version in use for reading."""
    procedure = procedures.get(g.session, key)
    draft, version = drafts.find(g.session, key), procedures.in_use(g.session, procedure)
    if draft is None and version is None:
        raise NotFound
    held = drafts.holder(g.session, draft) if draft else None
    page = render_template(
        "studio/edit.html",
        key=key,
        procedure=procedure,
        draft=draft,
        version=version,
        base=draft.base_version if draft else version,
        open_cases=_open_cases(version),
        holder=held,
        api=url_for("studio.edit", key=key),
    )
    return styled(flask.make_response(page))


@views.post("/<key>/draft")
@requires(Permission.PROCEDURE_EDIT)
def begin(key: str) -> ResponseReturnValue:
    """Begin a draft from the version in use, or from the one named."""
    number = request.form.get("number", type=int)
    drafts.begin(g.session, g.actor, key, procedures.numbered(g.session, key, number) if number else None)
    return redirect(url_for("studio.edit", key=key))


@views.post("/<key>/draft/discard")
@requires(Permission.PROCEDURE_EDIT)
def discard(key: str) -> ResponseReturnValue:
    """Throw the draft away."""
    drafts.throw_away(g.session, g.actor, drafts.get(g.session, key))
    flash(_("草稿已丢弃。"), "done")
    return redirect(url_for("studio.index"))


@views.get("/<key>/files")
@requires(Permission.PROCEDURE_EDIT)
def files(key: str) -> ResponseReturnValue:
    """List the files with what they are called, and who writes."""
    draft = drafts.find(g.session, key)
    contents, base = _contents(key, draft)
    listed = [
        {
            "path": path,
            "kind": kind_of(path),
            **_called(path, content),
            "changed": draft is not None and base.get(path) != content,
            "removable": blanks.is_removable(path),
        }
        for path, content in contents.items()
    ]
    return {"revision": draft.revision if draft else 0, "files": listed, "lock": _lock(draft), **_steps(draft)}


@views.get("/<key>/files/<path:path>")
@requires(Permission.PROCEDURE_EDIT)
def file(key: str, path: str) -> ResponseReturnValue:
    """Return a file as text."""
    draft = drafts.find(g.session, key)
    content = drafts.file(g.session, draft, path) if draft else _contents(key, None)[0].get(path)
    if content is None:
        raise NotFound
    return {"revision": draft.revision if draft else 0, "path": path, "text": content.decode("utf-8", "replace")}


@views.post("/<key>/files")
@requires(Permission.PROCEDURE_EDIT)
def save(key: str) -> ResponseReturnValue:
    """Save what was changed and tell what does not fit now."""
    body, draft = _body(), drafts.get(g.session, key)
    changes = _texts(body)
    try:
        revision = drafts.save(g.session, g.actor, draft, changes, _revision(body), json_bodies.clean(body.get("what", ""), 200))
    except (DraftOutdated, DraftLocked) as error:
        return _refused(key, error)
    return {"revision": revision, "findings": _findings(drafts.files(g.session, draft), key), **_steps(draft)}


@views.post("/<key>/check")
@requires(Permission.PROCEDURE_EDIT)
def check(key: str) -> ResponseReturnValue:
    """Check the draft with unsaved texts laid over it; nothing is kept."""
    body = _body()
    contents = dict(_contents(key, drafts.find(g.session, key))[0])
    for path, content in drafts.checked({path: text for path, text in _texts(body).items() if text is not None}).items():
        contents[path] = content
    began = time.perf_counter()
    found = _findings(contents, key)
    return {"findings": found, "ms": round((time.perf_counter() - began) * 1000)}


@views.post("/<key>/mend")
@requires(Permission.PROCEDURE_EDIT)
def mend(key: str) -> ResponseReturnValue:
    """Carry out the mend that a finding offers, as a save that can be undone."""
    body, draft = _body(), drafts.get(g.session, key)
    fix = body.get("fix")
    if not isinstance(fix, dict):
        raise InvalidInput
    try:
        changes = mending.mend(drafts.files(g.session, draft), fix)
        revision = drafts.save(g.session, g.actor, draft, changes, _revision(body), _("按检查的办法改好一处"))
    except (mending.NotMended, KeyError, TypeError, ValueError):  # a fix of another version of the files
        return {"problem": _("这一处已经变了，不能照原来的办法改好。")}, 422
    except (DraftOutdated, DraftLocked) as error:
        return _refused(key, error)
    return {"revision": revision, "paths": sorted(changes), "findings": _findings(drafts.files(g.session, draft), key), **_steps(draft)}


@views.route("/<key>/lock", methods=["POST", "DELETE"])
@requires(Permission.PROCEDURE_EDIT)
def lock(key: str) -> ResponseReturnValue:
    """Hold the draft, take it over, or give it back."""
    draft = drafts.get(g.session, key)
    if request.method == "DELETE":
        drafts.let_go(g.session, g.actor, draft)
        return {"mine": False, "name": "", "until": None}
    held = drafts.hold(g.session, g.actor, draft, take=_body().get("take") is True)
    return _lock(draft) | {"mine": held.person_id == g.actor.person_id, "revision": draft.revision}


@views.post("/<key>/undo")
@requires(Permission.PROCEDURE_EDIT)
def undo(key: str) -> ResponseReturnValue:
    """Take the last save back."""
    return _turn(key, drafts.undo)


@views.post("/<key>/redo")
@requires(Permission.PROCEDURE_EDIT)
def redo(key: str) -> ResponseReturnValue:
    """Do again what was undone last."""
    return _turn(key, drafts.redo)


def _turn(key: str, step: Any) -> ResponseReturnValue:
    draft = drafts.get(g.session, key)
    try:
        paths = step(g.session, g.actor, draft, _revision(_body()))
    except (DraftOutdated, DraftLocked) as error:
        return _refused(key, error)
    return {"revision": draft.revision, "paths": paths, "findings": _findings(drafts.files(g.session, draft), key), **_steps(draft)}


@views.get("/<key>/names")
@requires(Permission.PROCEDURE_EDIT)
def names(key: str) -> ResponseReturnValue:
    """Return every name that expressions and properties may use here, with its words."""
    contents, _base = _contents(key, drafts.find(g.session, key))
    found = vocabulary.of_files(contents) | vocabulary.of_host(g.session)
    for listed in ("case", "outputs", "starts", "functions", "organisations"):
        found[listed] = [entry | {"text": say(entry["text"]) if entry["text"] else ""} for entry in found[listed]]
    roles = {role.value: str(name) for role, name in words.ROLES.items()}
    with force_locale("zh_Hans_CN"):
        both = {role.value: {"name_zh": str(name)} for role, name in words.ROLES.items()}
    with force_locale("en"):
        for role, name in words.ROLES.items():
            both[role.value]["name_en"] = str(name)
    states = {state.value: str(name) for state, name in words.STATES.items()}
    audiences = {audience.value: str(name) for audience, name in words.AUDIENCES.items()}
    return found | {
        "roles": [{"value": role, "name": roles[role], **both[role]} for role in found["roles"]],
        "states": [{"value": state, "name": states[state]} for state in found["states"]],
        "audiences": [{"value": audience, "name": audiences.get(audience, audience)} for audience in found["audiences"]],
    }


class FileForm(BaseForm):
    """A new file of a draft."""

    kind = RadioField(
        _l("建什么"),
        choices=[SelectChoice("form", _l("表单")), SelectChoice("table", _l("决策表")), SelectChoice("diagram", _l("共用的图"))],
        default="form",
    )
    name = StringField(_l("名称"), [InputRequired(_l("请填名称。")), Length(max=60)])
    name_en = StringField(_l("英文名称"), [InputRequired(_l("请填英文名称。")), Length(max=80)])
    key = StringField(
        _l("标识"),
        [InputRequired(_l("请填标识。")), Regexp(r"[a-z][a-z0-9_]{1,39}\Z", message=_l("用小写字母、数字和下划线，字母开头，最多 40 个。"))],
    )


@views.route("/<key>/new", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_EDIT)
def new_file(key: str) -> ResponseReturnValue:
    """Begin a form, a decision table or a shared diagram, for the editor or, without scripts, for the outline."""
    draft, form = drafts.get(g.session, key), FileForm()
    is_editor = request.method == "POST" and request.accept_mimetypes.best == "application/json"
    if request.method == "POST" and form.validate():
        name = form.name.data or ""
        try:
            path, changes = blanks.added(drafts.files(g.session, draft), form.kind.data, form.key.data or "", name, form.name_en.data or "")
            revision = request.form.get("revision", draft.revision, type=int)
            revision = drafts.save(g.session, g.actor, draft, changes, revision, _("新建 %(name)s", name=name))
        except InvalidInput:
            form.key.errors = [_("已经有这个标识的文件。")]
        except (DraftOutdated, DraftLocked) as error:
            if is_editor:
                return _refused(key, error)
            raise
        else:
            return {"revision": revision, "path": path} if is_editor else redirect(url_for("outlines.show", key=key, path=path))
    if is_editor:
        return {"problem": next((told[0] for told in form.errors.values()), "")}, 422
    return render_template("studio/new.html", key=key, procedure=draft.procedure, form=form), 422 if form.errors else 200


@views.post("/<key>/remove")
@requires(Permission.PROCEDURE_EDIT)
def remove(key: str) -> ResponseReturnValue:
    """Take a form, a decision table or a shared diagram away, as a save that can be undone."""
    body, draft = _body(), drafts.get(g.session, key)
    changes = blanks.removed(drafts.files(g.session, draft), str(body.get("path")))
    try:
        return {"revision": drafts.save(g.session, g.actor, draft, changes, _revision(body), _("删去 %(name)s", name=str(body.get("path"))))}
    except (DraftOutdated, DraftLocked) as error:
        return _refused(key, error)


@views.get("/<key>/picture/<path:path>")
@requires(Permission.PROCEDURE_EDIT)
def picture(key: str, path: str) -> ResponseReturnValue:
    """Send a diagram as PDF, as large as it is drawn."""
    contents, _base = _contents(key, drafts.find(g.session, key))
    if not path.endswith(".bpmn") or path not in contents:
        raise NotFound
    try:
        drawing = drawings.read(contents[path])
    except UnreadableDiagram as error:
        raise Deployment([error]) from None
    if drawing.left:
        raise documents.TooLong
    drawn, note = drawing.whole(), _("图太大，后面的名称只写了开头几个字。") if drawing.is_short else ""
    return downloads.given(documents.sheet(drawn.svg, drawn.width, drawn.height, note), path.rsplit("/", 1)[-1][:-5] + ".pdf", "application/pdf")


# ── in and out ──


@views.get("/<key>/export.zip")
@requires(Permission.PROCEDURE_EDIT)
def export_all(key: str) -> ResponseReturnValue:
    """Send the whole procedure as a zip."""
    contents, _base = _contents(key, drafts.find(g.session, key))
    return downloads.given(drafts.pack(contents, key), f"{key}.zip", "application/zip")


@views.get("/<key>/export/<path:path>")
@requires(Permission.PROCEDURE_EDIT)
def export(key: str, path: str) -> ResponseReturnValue:
    """Send one file as it is."""
    contents, _base = _contents(key, drafts.find(g.session, key))
    if path not in contents:
        raise NotFound
    types = {"bpmn": "application/xml", "dmn": "application/xml", "json": "application/json", "toml": "text/plain"}
    return downloads.given(contents[path], path.rsplit("/", 1)[-1], types[path.rsplit(".", 1)[-1]])


@views.route("/<key>/import", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_EDIT)
def bring_in(key: str) -> ResponseReturnValue:
    """Take files of a procedure into the draft: a zip, or single diagrams, tables and forms."""
    draft = drafts.get(g.session, key)
    problem = ""
    if request.method == "POST":
        try:
            found = _uploaded()
            if not found:
                problem = _("请选择文件。")
            else:
                revision = drafts.save(g.session, g.actor, draft, found, draft.revision, _("导入 %(count)s 个文件", count=len(found)))
                flash(_("已导入 %(count)s 个文件，可以撤销。", count=len(found)), "done")
                first = next((path for path in found if path.endswith(".bpmn")), next(iter(found)))
                if request.accept_mimetypes.best == "application/json":
                    return {"revision": revision, "paths": sorted(found)}
                if first.endswith(".bpmn") and translating.offers(found[first], _role_words()):
                    return redirect(url_for("studio.turn", key=key, path=first))
                return redirect(url_for("studio.edit", key=key, file=first))
        except (FileUnfit, DraftLocked, DraftOutdated) as error:
            problem = sentence(error)
            if request.accept_mimetypes.best == "application/json":
                return {"problem": problem}, 422
    return render_template("studio/import.html", key=key, procedure=draft.procedure, problem=problem), 422 if problem else 200


def _uploaded() -> dict[str, bytes]:
    """Return what was uploaded by its path in the procedure: a file finds its place by what it is."""
    found: dict[str, bytes] = {}
    left = drafts.MAX_ZIP_BYTES
    for upload in request.files.getlist("files")[:50]:
        content, name = upload.read(left + 1), (upload.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
        if not content and not name:
            continue
        left -= len(content)
        if left < 0:
            raise FileUnfit(name=name[:80])
        if content[:2] == b"PK":
            found = drafts.checked(found | drafts.unpack(content))
            continue
        stem, _dot, ending = name.rpartition(".")
        stem = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_")[:40]
        if not stem or not stem[0].isalpha():
            stem = f"f_{stem}"[:40].rstrip("_")
        folder = {"bpmn": "shared/", "bpmn2": "shared/", "xml": "shared/", "dmn": "decisions/", "json": "forms/", "form": "forms/"}.get(
            ending.lower()
        )
        if folder is None:
            raise FileUnfit(name=name[:80])
        found[folder + stem + {"bpmn2": ".bpmn", "xml": ".bpmn", "form": ".json"}.get(ending.lower(), f".{ending.lower()}")] = (
            drafts.in_utf8(content) if folder in ("shared/", "decisions/") else content
        )
    return drafts.checked(found)


@views.route("/<key>/turn/<path:path>", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_EDIT)
def turn(key: str, path: str) -> ResponseReturnValue:
    """Tell what of a diagram from elsewhere does not run here, and turn what can be turned and was chosen."""
    draft = drafts.get(g.session, key)
    contents, spoken = drafts.files(g.session, draft), _role_words()
    if path not in contents or not path.endswith(".bpmn"):
        raise NotFound
    form_keys = [other[6:-5] for other in contents if other.startswith("forms/")]
    if request.method == "POST":
        chosen = request.form.getlist("chosen")
        try:
            turned = translating.turn(contents[path], chosen, spoken, form_keys)
        except mending.NotMended:
            raise InvalidInput from None
        drafts.save(g.session, g.actor, draft, {path: turned}, draft.revision, _("换成能运行的写法：%(count)s 处", count=len(chosen)))
        flash(_("已换 %(count)s 处，可以撤销。", count=len(chosen)), "done")
        contents[path] = turned
        if not translating.offers(turned, spoken, form_keys):
            return redirect(url_for("studio.edit", key=key, file=path))
        return redirect(url_for("studio.turn", key=key, path=path))
    offers = [
        {"key": offer.key, "element": offer.element, "text": say(offer.what, dict(offer.fields))}
        for offer in translating.offers(contents[path], spoken, form_keys)
    ]
    findings = [finding for finding in _findings(contents, key) if finding["file"] == path]
    return render_template("studio/turn.html", key=key, path=path, procedure=draft.procedure, offers=offers, findings=findings)


def _role_words() -> dict[str, str]:
    """Return the role that each of its names stands for, in both languages."""
    found: dict[str, str] = {}
    for language in ("en", "zh_Hans_CN"):
        with force_locale(language):
            found |= {str(name): role.value for role, name in words.ROLES.items()}
    return found


# ── deploying ──


class DeployForm(BaseForm):
    """What is told of a version and from when it counts."""

    comment = TextAreaField(_l("这一版改了什么"), [InputRequired(_l("请写明改了什么、依据什么。")), Length(max=500)])
    activate = RadioField(
        _l("何时启用"),
        choices=[
            SelectChoice("now", _l("现在：新个案从现在起用这一版")),
            SelectChoice("later", _l("到某一天")),
            SelectChoice("no", _l("先不启用")),
        ],
        default="now",
    )
    activate_at = DateTimeLocalField(_l("从何时起"), [Optional()], format=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])


@views.route("/<key>/deploy", methods=["GET", "POST"])
@requires(Permission.PROCEDURE_DEPLOY)
def deploy(key: str) -> ResponseReturnValue:
    """Check the draft once more and deploy it, with a word on what changed."""
    draft = drafts.get(g.session, key)
    if request.method == "POST":  # from here on nobody saves into it, so that nothing is lost with the draft
        drafts.claim(g.session, g.actor, draft, request.form.get("revision", type=int))
    contents, form = drafts.files(g.session, draft), DeployForm()
    complaints = procedures.check(contents, key)
    needs_approval = asks_for_approval()
    if request.method == "POST" and form.validate():
        at, fits = _when(form)
        if fits:
            try:
                version = procedures.propose(
                    g.session, g.actor, contents, form.comment.data or "", activate_at=at, needs_approval=needs_approval, key=key
                )
            except Deployment as error:
                complaints = error.complaints
            else:
                drafts.forget(g.session, draft)
                told = _("第 %(number)s 版已部署，等第二个人批准。") if needs_approval else _("第 %(number)s 版已部署。")
                flash(told % {"number": version.number}, "done")
                return redirect(url_for("procedures.show", key=key, number=version.number))
    errors = [complaint for complaint in complaints if complaint.level == "error"]
    base_files = drafts.base_files(g.session, draft)
    changed = [path for path in {*contents, *base_files} if contents.get(path) != base_files.get(path)]
    return render_template(
        "studio/deploy.html",
        key=key,
        procedure=draft.procedure,
        draft=draft,
        form=form,
        findings=[_told(complaint) for complaint in complaints],
        must=len(errors),
        needs_approval=needs_approval,
        base=draft.base_version,
        open_cases=_open_cases(draft.base_version),
        changed=len(changed),
        unchanged=draft.base_version is not None and not changed,
    ), 422 if form.errors or (errors and request.method == "POST") else 200


def _when(form: DeployForm) -> tuple[datetime | None, bool]:
    if form.activate.data == "no":
        return None, True
    if form.activate.data == "now":
        return clock.now(), True
    if form.activate_at.data is None:
        form.activate_at.errors = [_("请填从何时起。")]
        return None, False
    at = form.activate_at.data.replace(tzinfo=clock.zone())
    if at < clock.now():
        form.activate_at.errors = [_("要晚于现在。")]
        return None, False
    return at, True


def asks_for_approval() -> bool:
    """Tell whether the profile of the person's institution asks for a second person when a version is deployed."""
    for post in g.actor.posts:
        version = profiles.of_organisation(g.session, organisations.get(g.session, post.organisation_id))
        if profiles.values(g.session, version.id).values.get("deployment_approval") is True:
            return True
    return False


# ── pieces ──


def _contents(key: str, draft: ProcedureDraft | None) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the files as they stand and those of the version they began from."""
    if draft is not None:
        return drafts.files(g.session, draft), drafts.base_files(g.session, draft)
    version = procedures.in_use(g.session, procedures.get(g.session, key))
    if version is None:
        raise NotFound
    found = procedures.version_files(g.session, version.id)
    return found, found


def kind_of(path: str) -> str:
    """Return what a file is to the studio."""
    if path.startswith("scenarios/"):
        return "scenario"
    if path.endswith(".examples.json"):
        return "examples"
    return KINDS.get(path.rsplit(".", 1)[-1], "manifest")


def _called(path: str, content: bytes) -> dict[str, str]:
    """Return what a file is called, as far as its first kilobytes tell; reading it whole is the editor's work."""
    head = content[:200_000]
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    name, name_en = "", ""
    if path.endswith(".bpmn"):
        found = re.search(rb'<(?:[\w.-]{1,60}:)?process\s[^<>]{0,3000}?\bname="([^"]{0,300})"', head)
        english = re.search(rb'<(?:[\w.-]{1,60}:)?process\s[^<>]{0,3000}?\bps:name_en="([^"]{0,300})"', head)
        name, name_en = (match[1].decode("utf-8", "replace") if match else "" for match in (found, english))
    elif path.endswith(".json"):
        found, english = re.search(rb'"title":\s{0,9}"([^"]{0,300})"', content), re.search(rb'"title_en":\s{0,9}"([^"]{0,300})"', content)
        name, name_en = (match[1].decode("utf-8", "replace") if match else "" for match in (found, english))
    elif path.endswith(".dmn"):
        found = re.search(rb'<(?:[\w.-]{1,60}:)?definitions\s[^<>]{0,9000}?\bname="([^"]{0,300})"', head)
        name = found[1].decode("utf-8", "replace") if found else ""
    elif path.startswith("scenarios/"):
        found, english = re.search(rb'^name = "([^"]*)"', head, re.M), re.search(rb'^name_en = "([^"]*)"', head, re.M)
        name, name_en = (match[1].decode("utf-8", "replace") if match else "" for match in (found, english))
    elif path == procedures.MANIFEST:
        name = name_en = _("流程说明")
    return {"name": name or stem, "name_en": name_en or name or stem}


def _lock(draft: ProcedureDraft | None) -> dict[str, Any]:
    held = drafts.holder(g.session, draft) if draft else None
    return {
        "mine": held is not None and held.person_id == g.actor.person_id,
        "name": held.name if held else "",
        "until": held.until.isoformat() if held else None,
    }


def _steps(draft: ProcedureDraft | None) -> dict[str, int]:
    back, forth = drafts.steps(g.session, draft) if draft else (0, 0)
    return {"undo": back, "redo": forth}


def _body() -> dict[str, Any]:
    body = json_bodies.read(MAX_BODY)
    if body is None:
        raise InvalidInput
    return body


def _revision(body: Mapping[str, Any]) -> int:
    revision = body.get("revision")
    if not isinstance(revision, int) or isinstance(revision, bool):
        raise InvalidInput
    return revision


def _texts(body: Mapping[str, Any]) -> dict[str, bytes | None]:
    texts = body.get("files")
    if not isinstance(texts, dict) or not all(isinstance(path, str) and (text is None or isinstance(text, str)) for path, text in texts.items()):
        raise InvalidInput
    try:
        return {path: None if text is None else text.encode("utf-8") for path, text in texts.items()}
    except UnicodeEncodeError:  # half of a surrogate pair
        raise InvalidInput from None


def _refused(key: str, error: DraftOutdated | DraftLocked) -> ResponseReturnValue:
    draft = drafts.get(g.session, key)
    return {"problem": sentence(error), "revision": draft.revision, "lock": _lock(draft), "outdated": isinstance(error, DraftOutdated)}, 409


def _findings(contents: Mapping[str, bytes], key: str) -> list[dict[str, Any]]:
    return [_told(complaint) for complaint in procedures.check(contents, key)]


def _told(complaint: Complaint) -> dict[str, Any]:
    """Return a complaint in the person's language."""
    fields = dict(complaint.fields)
    mend = getattr(complaint, "mend", "")
    return {
        "code": complaint.code,
        "level": complaint.level,
        "file": complaint.file,
        "element": complaint.element,
        "line": complaint.line,
        "text": say(complaint.sentence, fields),
        "mend": say(mend, fields) if mend else "",
        "fix": dict(fix) if (fix := getattr(complaint, "fix", None)) else None,
    }

"""Engine error → status and page, as one table; what nobody foresaw becomes an incident with a number."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import flask
import sqlalchemy as sa
from flask import g, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from engine import errors as engine_errors
from engine import incidents
from engine.attachments import FileRefused
from engine.passwords import PasswordRefused
from engine.people import CodeRefused, SignInBlocked, SignInRefused, TwoAdministrators
from engine.steering import AlreadySigned, Protected, ValueMissing
from engine.transaction import transaction
from engine.workflow import UnreadableDiagram, checking
from models import IncidentKind
from web import documents
from web.guards import SignInNeeded, SignInUnfinished
from web.language import inside, say

if TYPE_CHECKING:
    from web import Application

log = logging.getLogger("pingshen.web")
STATUS: dict[type[engine_errors.EngineError], int] = {
    engine_errors.NotFound: 404,
    engine_errors.NotAllowed: 403,
    engine_errors.Recused: 403,
    engine_errors.WorkItemNotOpen: 409,
    engine_errors.WorkItemTaken: 409,
    engine_errors.FourEyes: 403,
    engine_errors.FormInvalid: 422,
    engine_errors.DraftOutdated: 409,
    engine_errors.DraftLocked: 409,
    engine_errors.FileUnfit: 422,
    engine_errors.ApprovalNeeded: 409,
    engine_errors.CannotFollow: 409,
    engine_errors.CaseOnHold: 409,
    engine_errors.CaseEnded: 409,
    engine_errors.CaseChanged: 409,
    engine_errors.NotNow: 409,
    engine_errors.StepFailed: 500,
    engine_errors.InvalidInput: 422,
    engine_errors.ClockStartInFuture: 422,
    engine_errors.Deployment: 422,
    FileRefused: 422,
    PasswordRefused: 422,
    SignInRefused: 422,
    SignInBlocked: 429,
    CodeRefused: 422,
    TwoAdministrators: 422,
    Protected: 409,
    AlreadySigned: 409,
    ValueMissing: 422,
}
ICONS = {404: "map", 403: "lock", 409: "alert", 422: "alert", 429: "clock", 500: "retry", 503: "offline", 401: "clock", 413: "upload"}


def sentence(error: engine_errors.EngineError) -> str:
    """Return what a person reads about an error, in their language."""
    fields = dict(error.fields)
    if isinstance(error, (PasswordRefused, Protected)):
        fields["why"] = say(error.why, fields)
    if isinstance(error, engine_errors.WorkItemNotOpen) and fields.get("name"):
        from web.jinja import moment

        return say(error.by_whom, {"name": fields["name"], "time": inside(moment(fields["at"]))})
    return say(error.sentence, fields)


def page(status: int, title: str, text: str, **more: object) -> ResponseReturnValue:
    """Return an error's page; to a script, its sentence."""
    if request.accept_mimetypes.best == "application/json":
        return {"problem": text}, status
    return flask.render_template("error.html", status=status, icon_name=ICONS.get(status, "info"), title=title, text=text, **more), status


def sent_again() -> dict[str, object] | None:
    """Return what was sent, to be sent again from the page of the error; files and passwords must be given anew."""
    if request.method != "POST" or not request.form or any("password" in name or name in ("code", "seed") for name in request.form):
        return None
    return {"to": request.path, "fields": [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]}


def set_up(app: Application) -> None:
    """Connect the pages of errors."""

    @app.errorhandler(engine_errors.EngineError)
    def engine_error(error: engine_errors.EngineError) -> ResponseReturnValue:
        status = STATUS.get(type(error), 400)
        titles = {
            404: _("这里没有内容"),
            403: _("您现在不能办理"),
            409: _("没有提交"),
            422: _("请再核对"),
            429: _("请稍后再试"),
            500: _("系统没能完成这一步"),
        }
        back = request.path if request.endpoint == "work_items.write" and status in (403, 409, 422) else ""
        return page(status, titles.get(status, _("没有完成")), sentence(error), number=error.fields.get("number"), back=back)

    @app.errorhandler(SignInNeeded)
    def sign_in_needed(_error: SignInNeeded) -> ResponseReturnValue:
        from web.views import sign_in

        return sign_in.ask()

    @app.errorhandler(SignInUnfinished)
    def sign_in_unfinished(_error: SignInUnfinished) -> ResponseReturnValue:
        row = g.sign_in
        target = "sign_in.new_password" if row is not None and row.person.must_change_password else "sign_in.second_factor"
        return flask.redirect(flask.url_for(target))

    @app.errorhandler(CSRFError)
    def csrf_failed(_error: CSRFError) -> ResponseReturnValue:
        return page(400, _("这一页放得太久了"), _("为了安全，这次没有提交。请返回上一页，刷新后再试；写过的内容一般还在。"))

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
        return page(413, _("内容太大"), _("一次最多提交 20 MB。请分次上传文件。"))

    @app.errorhandler(documents.TooLong)
    def too_long(_error: documents.TooLong) -> ResponseReturnValue:
        return page(413, _("内容太多，排不成一份文件"), _("图形、文字或表格太多。请删去不用的，或分成几张图、几套流程。"))

    @app.errorhandler(UnreadableDiagram)
    def unreadable(error: UnreadableDiagram) -> ResponseReturnValue:
        told = checking.unreadable(error, error.file)
        fields = dict(told.fields)
        return page(422, _("这张图读不了"), f"{say(told.sentence, fields)} {say(told.mend, fields)}")

    @app.errorhandler(StaleDataError)
    def changed_meanwhile(_error: StaleDataError) -> ResponseReturnValue:
        return engine_error(engine_errors.CaseChanged())

    @app.errorhandler(sa.exc.OperationalError)
    def database_away(error: sa.exc.OperationalError) -> ResponseReturnValue:
        log.error("the database did not answer: %s", type(error.orig).__name__)
        is_full = "disk is full" in str(error.orig) or getattr(error.orig, "sqlstate", "") == "53100"
        title, text = _("数据库暂时没有回应"), _("没有提交任何内容，个案没有改变。请过一会儿再试。")
        if is_full:
            title, text = _("存储空间已满"), _("没有提交任何内容，个案没有改变。请告诉系统管理员，腾出空间后再试。")
        return page(503, title, text, again=sent_again())

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code == 404:
            return page(404, _("这里没有内容"), say(engine_errors.NotFound.sentence))
        if error.code in (301, 302, 303, 307, 308) or error.code is None:
            return error
        return page(error.code, _("没有完成"), _("请求不完整，请返回后再试。"))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> ResponseReturnValue:
        log.error("unforeseen: %s at %s", type(error).__name__, incidents.places(error)[-1:] or "?")
        number = ""
        try:
            with transaction(app.sessions) as session:
                number = incidents.write(session, IncidentKind.REQUEST, error, endpoint=request.endpoint or "").number
        except sa.exc.SQLAlchemyError:
            log.error("the incident could not be written")
        return page(500, _("系统没能完成这一步"), _("个案没有改变。已记下并通知维护人员；事件编号不含个人信息，可以转告。"), number=number)

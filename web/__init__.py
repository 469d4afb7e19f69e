"""Requests and pages: one area per module, every request one transaction."""

from __future__ import annotations

import gc
import json
import mimetypes
from pathlib import Path
from typing import Any

import flask
import sqlalchemy as sa
from flask import Flask, g, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from engine import clock
from engine.transaction import transaction
from models import Installation
from models.database import Sessions
from web import errors, guards, identity, jinja, language
from web.settings import SettingMissing, Settings

DIST = Path(__file__).parent / "static" / "dist"
COLLECTED = (20_000, 10, 10)
"""How many objects come to be before the collector looks for circles: reading a large file it would spend a third of the time."""
MAX_REQUEST_BYTES = 24_000_000
MAX_PLAIN_FORM_BYTES = 2_000_000
MAX_FORM_PARTS = 6_000
MAX_NAME = 200
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


class Application(Flask):
    """A Flask application in which every request is one transaction."""

    sessions: Sessions
    settings: Settings

    def dispatch_request(self) -> ResponseReturnValue:
        """Run the view: returning commits, raising rolls back, and a failed commit has its page."""
        if request.endpoint in (None, "static", "assets", "alive"):
            return super().dispatch_request()
        view = self.view_functions.get(request.endpoint or "")
        writes = request.method not in ("GET", "HEAD", "OPTIONS") or getattr(view, "journals", False)
        with transaction(self.sessions, read_only=not writes) as session:
            g.session = session
            identity.load()
            return guards.guarded(super().dispatch_request)

    def handle_user_exception(self, e: Exception) -> Any:
        """Answer an error in a transaction of its own, for the request's was rolled back; without a database, to nobody."""
        answered = False
        try:
            with transaction(self.sessions, read_only=True) as session:
                g.session = session
                identity.load()
                answered = True
                return super().handle_user_exception(e)
        except sa.exc.SQLAlchemyError:
            if answered:
                raise
        g.session = None
        identity.be_nobody()
        return super().handle_user_exception(e)


def create_app(settings: Settings, sessions: Sessions) -> Application:
    """Make the application for a database that is up to date.

    Raises:
        SettingMissing: the database was made for another realm.
    """
    gc.set_threshold(*COLLECTED)
    app = Application(__name__, static_folder=None)
    app.settings, app.sessions = settings, sessions
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=4_000_000,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        SESSION_COOKIE_NAME="pingshen",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        WTF_CSRF_TIME_LIMIT=None,
        TEMPLATES_AUTO_RELOAD=False,
        BABEL_DEFAULT_LOCALE="zh_Hans_CN",
    )
    clock.set_zone(settings.zone)
    _check_realm(settings, sessions)
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0)  # type: ignore[method-assign]
    app.before_request(_measure_form)
    CSRFProtect(app)
    language.set_up(app)
    identity.set_up(app)
    jinja.set_up(app)
    errors.set_up(app)
    _serve_assets(app)
    _add_views(app)
    app.before_request(_wind_demo_clock)
    app.after_request(_protect)
    app.after_request(identity.note_use)
    return app


def _check_realm(settings: Settings, sessions: Sessions) -> None:
    with transaction(sessions, read_only=True) as session:
        row = session.query(Installation).one_or_none()
    if row is None or row.realm.value != settings.realm:
        raise SettingMissing(f"the database was not made for realm {settings.realm!r}")


def _measure_form() -> None:
    """Refuse a plain form that is larger than any page sends; the library bounds only forms with files."""
    if request.mimetype == "application/x-www-form-urlencoded" and (request.content_length or 0) > MAX_PLAIN_FORM_BYTES:
        flask.abort(413)
    if request.method == "POST" and len(request.form) > MAX_FORM_PARTS:
        flask.abort(413)
    sent = (request.path, *request.args.keys(), *request.args.values(), *request.form.keys(), *(value for value in request.form.values()))
    if any("\x00" in text for text in sent):  # no database takes it, and nobody types it
        flask.abort(400)
    if any(len(name) > MAX_NAME for name in (*request.form, *request.files)):
        flask.abort(400)


def _wind_demo_clock() -> None:
    """In a demo every request looks at how far its clock was moved."""
    app = flask.current_app
    assert isinstance(app, Application)
    if app.settings.is_demo and request.endpoint not in ("assets", "alive"):
        with transaction(app.sessions, read_only=True) as session:
            clock.set_ahead(session.query(Installation.clock_ahead_s).scalar() or 0)


def _protect(response: flask.Response) -> flask.Response:
    """Set the headers that keep a page to itself."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", "; ".join(f"{name} {value}" for name, value in POLICY.items()))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if request.endpoint != "assets" or response.status_code != 200:
        headers["Cache-Control"] = "no-store"
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    return response


def styled(response: flask.Response) -> flask.Response:
    """Let a page of the studio set styles of its own: its editors place and colour what is drawn. Scripts stay the site's."""
    policy = POLICY | {"style-src": "'self' 'unsafe-inline'"}
    response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    return response


def _serve_assets(app: Application) -> None:
    """Serve the bundles under their hash, for ever; gzipped where the browser takes it."""
    manifest: dict[str, str] = json.loads((DIST / "manifest.json").read_text()) if (DIST / "manifest.json").exists() else {}

    def asset(name: str) -> str:
        return flask.url_for("assets", digest=manifest.get(name, "0"), name=name)

    @app.get("/assets/<digest>/<path:name>")
    def assets(digest: str, name: str) -> ResponseReturnValue:  # noqa: ARG001 - a new digest is a new address
        """Send a bundle by its exact name."""
        if name not in manifest:
            flask.abort(404)
        packed = "gzip" in request.headers.get("Accept-Encoding", "") and (DIST / f"{name}.gz").exists()
        response = flask.send_file(
            DIST / (f"{name}.gz" if packed else name),
            mimetype=mimetypes.guess_type(name)[0] or "application/octet-stream",
            max_age=31_536_000,
        )
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @app.get("/alive")
    def alive() -> ResponseReturnValue:
        """Tell a supervisor that the process answers."""
        return {"alive": True}

    app.jinja_env.globals["asset"] = asset


def _add_views(app: Application) -> None:
    from web.views import BLUEPRINTS

    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)


def application() -> Application:
    """Return the application of this request."""
    app = flask.current_app
    assert isinstance(app, Application)
    return app


__all__: list[Any] = ["Application", "application", "create_app", "styled"]

"""The application for a WSGI server: `gunicorn web.wsgi:app`; settings come from the environment."""

from models.database import connect, sessions_of
from web import create_app
from web.settings import from_environment

_settings = from_environment()
app = create_app(_settings, sessions_of(connect(_settings.database_url)))

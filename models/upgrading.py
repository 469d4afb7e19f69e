"""Bringing a database to the newest migration, or to another one."""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

LOCK = 0x50696E67  # one upgrade at a time on PostgreSQL


def configuration() -> Config:
    """Return Alembic's configuration; the migrations lie in this package."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("models") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: sa.Engine, to: str = "head") -> None:
    """Run the migrations up to a revision, all of them in one transaction."""
    _run(engine, lambda config: command.upgrade(config, to))


def downgrade(engine: sa.Engine, to: str = "base") -> None:
    """Run the migrations down to a revision, all of them in one transaction."""
    _run(engine, lambda config: command.downgrade(config, to))


def _run(engine: sa.Engine, step: object) -> None:
    config = configuration()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        config.attributes["connection"] = connection
        step(config)  # type: ignore[operator]


def is_current(engine: sa.Engine) -> bool:
    """Tell whether a database is at the newest migration."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == ScriptDirectory.from_config(configuration()).get_current_head()

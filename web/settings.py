"""Settings: each with its type, default and meaning, read from the environment once. `docs/settings.md` lists them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any

from engine.passwords import RULES
from engine.people import Policy
from models import Realm


class SettingMissing(Exception):
    """A setting that production cannot do without is missing or makes no sense."""


def setting(default: Any, meaning: str) -> Any:
    """Declare a setting with its default and what it means."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """The settings of a process. Each is read from `PINGSHEN_<NAME>`."""

    realm: str = setting("production", "`production` or `demo`; must be what the database was made for")
    database_url: str = setting("", "SQLAlchemy URL of the database, `sqlite:///…` or `postgresql+psycopg://…`")
    secret_key: str = setting("", "at least 32 characters; signs cookies and derives second factors")
    zone: str = setting("Asia/Shanghai", "IANA time zone of the office; times are shown and working days counted in it")
    office: str = setting("", "name of the office, shown at sign-in")
    duty_phone: str = setting("", "telephone that is answered day and night, shown at sign-in")
    public_url: str = setting("", "address under which people reach the pages; used in mails; `https://` makes cookies secure")
    proxies: int = setting(0, "how many reverse proxies stand in front and set X-Forwarded-For and -Proto")
    password_rules: str = setting("gbt22239", "`gbt22239` (China's graded protection) or `nist80063b`")
    second_factor: str = setting("", "`on` or `off`: ask roles that see names for a second factor; on in production, off in a demo")
    idle_minutes: int = setting(30, "a session ends after this many minutes without a request")
    session_hours: int = setting(12, "a session ends after this many hours in any case")
    smtp_host: str = setting("", "mail server; without one, messages are shown in the pages only")
    smtp_port: int = setting(587, "port of the mail server; STARTTLS is used where it is offered")
    smtp_user: str = setting("", "account at the mail server")
    smtp_password: str = setting("", "password at the mail server")
    mail_from: str = setting("", "sender of mails")
    anchor_file: str = setting("", "file outside the database in which the end of the journal is kept, a line an hour; better on another machine")
    threads: int = setting(8, "threads of the web server")
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    def __post_init__(self) -> None:
        if self.realm not in {realm.value for realm in Realm}:
            raise SettingMissing("PINGSHEN_REALM must be production or demo")
        if self.password_rules not in RULES:
            raise SettingMissing("PINGSHEN_PASSWORD_RULES must be one of " + ", ".join(RULES))
        if self.second_factor not in ("", "on", "off"):
            raise SettingMissing("PINGSHEN_SECOND_FACTOR must be on or off")
        if not self.is_demo and len(self.secret_key) < 32:
            raise SettingMissing("PINGSHEN_SECRET_KEY must have at least 32 characters")
        if not self.database_url:
            raise SettingMissing("PINGSHEN_DATABASE_URL is not set")

    @property
    def is_demo(self) -> bool:
        """Tell whether this is a demonstration."""
        return self.realm == Realm.DEMO.value

    @property
    def policy(self) -> Policy:
        """How people sign in."""
        asked = self.second_factor == "on" if self.second_factor else not self.is_demo
        rules = RULES[self.password_rules]
        if self.is_demo:
            rules = replace(rules, lasts=None)  # its clock may run on by months
        return Policy(
            rules=rules,
            asks_second_factor=asked,
            idle=timedelta(minutes=self.idle_minutes),
            lasts=timedelta(hours=self.session_hours),
            secret=self.secret_key.encode(),
        )


def from_environment(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read the settings from the environment; what is given wins.

    Raises:
        SettingMissing: something production cannot do without is missing, or a value has the wrong type.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for entry in fields(Settings):
        raw = environment.get(f"PINGSHEN_{entry.name.upper()}")
        if raw is not None:
            try:
                values[entry.name] = int(raw) if isinstance(entry.default, int) else raw
            except ValueError:
                raise SettingMissing(f"PINGSHEN_{entry.name.upper()} must be a whole number") from None
    values.update(given)
    return Settings(**values)


def new_secret() -> str:
    """Return a secret for a demonstration."""
    return secrets.token_urlsafe(48)

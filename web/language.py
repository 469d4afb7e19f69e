"""Language: Chinese first, English complete; times in the office's zone, in words people use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import flask
from flask import g, request
from flask_babel import Babel, get_locale, gettext

from engine import clock

if TYPE_CHECKING:
    from web import Application

LANGUAGES = {"zh_Hans_CN": "中文", "en": "English"}
DEFAULT = "zh_Hans_CN"


def set_up(app: Application) -> None:
    """Connect Flask-Babel."""
    Babel(
        app,
        locale_selector=choose,
        timezone_selector=lambda: clock.zone().key,
        default_domain="messages",
        default_translation_directories=str(app.root_path) + "/translations",
    )


def choose() -> str:
    """Return the language of this request: the person's, the browser session's, or Chinese."""
    row = g.get("sign_in")
    chosen = (row.person.language if row is not None else None) or flask.session.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    return "en" if request.accept_languages.best_match(["zh", "zh-cn", "en"]) == "en" else DEFAULT


def is_english() -> bool:
    """Tell whether the page is in English."""
    return str(get_locale()) == "en"


def either(zh: str, en: str | None) -> str:
    """Return a word that is kept in both languages, in the language of the page."""
    return en if en and is_english() else zh


def joined(parts: Iterable[object]) -> str:
    """Return several words as one list, with the separator of the page's language."""
    return gettext("、").join(map(str, parts))


def inside(text: str) -> str:
    """Return words as they stand inside a sentence: English starts them small; abbreviations and Chinese stay as they are."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def say(sentence: str, fields: dict[str, object] | None = None) -> str:
    """Translate a sentence of the engine and fill its places; a place that is itself a sentence is translated too."""
    filled = {name: gettext(value) if isinstance(value, str) and value else value for name, value in (fields or {}).items()}
    return gettext(sentence) % filled if "%(" in sentence else gettext(sentence)

"""Filters and helpers of the templates: icons, moments and spans in words, clocks, who may do what."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import flask
from babel.dates import format_date
from flask import g, request
from flask_babel import get_locale
from flask_babel import gettext as _
from markupsafe import Markup

from engine import clock, codes, deadlines, messages, profiles
from models import Case, Deadline, Role, Warned
from web import identity, words
from web.language import either, inside, is_english, joined
from web.places import back_here

if TYPE_CHECKING:
    from web import Application

_MENU = {"trials": "studio", "version_changes": "studio", "bottlenecks": "procedures", "manuals": "procedures"}
"""The area under which the menu shows another."""
_OWN_PLACES = ("notices.new",)  # in the menu beside the list of their area


def set_up(app: Application) -> None:
    """Lend the helpers to the templates."""
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.add_extension("jinja2.ext.i18n")
    environment.globals.update(
        icon=icon,
        may=identity.may,
        now=clock.now,
        either=either,
        is_english=is_english,
        due=due,
        strip_clock=strip_clock,
        word=word,
        nav=nav,
        words=words,
        Role=Role,
        here=here,
        csrf_field=csrf_field,
        settings=app.settings,
        seal=seal,
        back_here=back_here,
        unread=unread,
        file_kinds=lambda: codes.lists()["CS-FILEKIND"].codes,
        code_list=lambda key: codes.lists()[key].codes if key in codes.lists() else (),
        answered=answered,
        rung_name=words.rung_name,
        value_words=words.value_words,
        limit_name=limit_name,
        office_zone=clock.zone,
    )
    app.context_processor(lambda: {"actor": g.get("actor"), "sign_in": g.get("sign_in")})
    environment.filters.update(
        moment=moment,
        day=day,
        whole_day=whole_day,
        span=span,
        clock=clock_time,
        full=full,
        weekday=weekday,
        rung=words.rung_name,
        joined=joined,
        inside=inside,
    )


def icon(name: str, label: str = "") -> Markup:
    """Return an icon of the sprite; without a label it is hidden from readers."""
    sprite = flask.current_app.jinja_env.globals["asset"]("icons.svg")  # type: ignore[operator]
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="i" {}><use href="{}#{}"/></svg>').format(said, sprite, name)


def seal(colour: str = "var(--ps-dai)") -> Markup:
    """Return the product's mark: the twelve cells."""
    return Markup(
        '<svg class="seal" viewBox="0 0 28 28" aria-hidden="true"><rect x="1" y="1" width="26" height="26" rx="4" fill="none" stroke="{0}"'
        ' stroke-width="1.6"/><path d="M7 8.5h14M7 14h14M7 19.5h14M11.7 5.5v17M16.3 5.5v17" stroke="{0}" stroke-width="1.3"/></svg>'
    ).format(colour)


def unread() -> int:
    """Return how many messages the person has not read; asked once a page."""
    if "unread" not in g:
        g.unread = messages.unread(g.session, g.actor.person_id) if g.get("actor") and g.get("session") is not None else 0
    return int(g.unread)


def csrf_field() -> Markup:
    """Return the hidden field that a form needs to be accepted."""
    from flask_wtf.csrf import generate_csrf

    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def local(value: datetime) -> datetime:
    """Return an instant in the office's zone."""
    return value.astimezone(clock.zone())


def moment(value: datetime | None) -> str:
    """Return an instant in words: today, yesterday, tomorrow, else the day, with the time of day."""
    if value is None:
        return ""
    then = local(value)
    return f"{day(then.date())} {then:%H:%M}"


def clock_time(value: datetime | None) -> str:
    """Return the time of day."""
    return f"{local(value):%H:%M}" if value else ""


def full(value: datetime | date | None) -> str:
    """Return an instant or day in figures, for tables and journals."""
    if value is None:
        return ""
    return f"{local(value):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else f"{value:%Y-%m-%d}"


def day(value: date | datetime | None) -> str:
    """Return a day in words; the year only when it is another one."""
    if value is None:
        return ""
    value = local(value).date() if isinstance(value, datetime) else value
    today = clock.today()
    near = {0: _("今日"), -1: _("昨日"), 1: _("明日")}.get((value - today).days)
    return near or _written(value, _("M 月 d 日") if value.year == today.year else _("y 年 M 月 d 日"))


def whole_day(value: date) -> str:
    """Return a day with its weekday, as the head of a page has it."""
    return _written(value, _("M 月 d 日 EEEE"))


def weekday(value: date) -> str:
    """Return the day of the week."""
    return _written(value, "EEEE")


def _written(value: date, pattern: str) -> str:
    return format_date(value, pattern, locale=get_locale())


def span(value: timedelta) -> str:
    """Return how long something takes: minutes under two hours, hours under two days, then days."""
    minutes = max(0, round(value.total_seconds() / 60))
    if minutes < 120:
        return _("%(minutes)s 分钟", minutes=minutes)
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return _("%(hours)s 小时 %(minutes)s 分", hours=hours, minutes=rest) if rest else _("%(hours)s 小时", hours=hours)
    days, hours = divmod(hours, 24)
    return _("%(days)s 天 %(hours)s 小时", days=days, hours=hours) if hours else _("%(days)s 天", days=days)


LEVELS = {Warned.NONE: "ok", Warned.AMBER: "half", Warned.RED: "near", Warned.OVERDUE: "past", Warned.ESCALATED: "past"}


def due(deadline: Deadline | None) -> Markup:
    """Return a clock: a ring with the share of time used, the moment due, and what remains or how late it is."""
    if deadline is None:
        return Markup('<span class="due"><span><span class="t">{}</span></span></span>').format(_("不限时"))
    now = clock.now()
    level = deadlines.level(deadline, now)
    used = _share(deadline, now)
    late = deadlines.is_late(deadline, now)
    if deadline.met_at is not None:
        first = _("迟 %(span)s", span=span(deadline.met_at - deadline.due_at)) if late else _("限内")
        second, kind = _("用时 %(span)s", span=span(deadline.met_at - deadline.start_at)), "past" if late else "met"
    elif late:
        first = _("已超时限 %(span)s", span=span(now - deadline.due_at))
        second = _("%(moment)s 到期", moment=inside(moment(deadline.due_at))) + (" · " + _("已报告上级") if level is Warned.ESCALATED else "")
        kind = "past"
    else:
        first = _("%(moment)s 前", moment=inside(moment(deadline.due_at)))
        left = _("还有 %(span)s", span=span(deadline.due_at - now))
        second = left if level is Warned.NONE else f"{left} · " + _("已过 %(percent)s%%", percent=used)
        kind = LEVELS[level]
    return Markup('<span class="due {}">{}<span><span class="w">{}</span><span class="t">{}</span></span></span>').format(
        kind, _ring(used, kind), first, second
    )


def _share(deadline: Deadline, now: datetime) -> int:
    whole = (deadline.due_at - deadline.start_at).total_seconds()
    return 100 if whole <= 0 else round(100 * ((deadline.met_at or now) - deadline.start_at).total_seconds() / whole)


def _ring(used: int, kind: str) -> Markup:
    mark = {
        "past": '<path d="M12 7v6M12 15.6v.6" stroke="currentColor" stroke-width="2.5" fill="none"/>',
        "met": '<path d="M8 12.5l3 3 5-6" stroke="currentColor" stroke-width="2.2" fill="none"/>',
    }.get(kind, "")
    return Markup(
        '<svg viewBox="0 0 24 24" aria-hidden="true"><circle class="ring" cx="12" cy="12" r="9"/><circle class="arc" cx="12" cy="12" r="9"'
        ' transform="rotate(-90 12 12)" pathLength="100" stroke-dasharray="{} 100"/>{}</svg>'
    ).format(min(100, max(0, used)), Markup(mark))  # noqa: S704 - ours, from above


def strip_clock(deadline: Deadline) -> dict[str, Any]:
    """Return what the strip on a case page says of one clock."""
    now = clock.now()
    late, used = deadlines.is_late(deadline, now), _share(deadline, now)
    if deadline.met_at is not None:
        kind, value = ("pastx" if late else "met"), span(deadline.met_at - deadline.start_at)
        note = _("迟 %(span)s", span=span(deadline.met_at - deadline.due_at)) if late else _("限内")
    elif late:
        kind, value, note = "pastx", _("超 %(span)s", span=span(now - deadline.due_at)), ""
    else:
        kind = {"ok": "okx", "half": "now", "near": "nearx"}[LEVELS[deadlines.level(deadline, now)]]
        value, note = _("还有 %(span)s", span=span(deadline.due_at - now)), ""
    return {"kind": kind, "value": value, "note": note, "used": min(150, max(2, used)), "late": late}


def word(key: str, code: str | None) -> str:
    """Return the word of a code of a code list, in the language of the page."""
    return codes.word(key, code, "en" if is_english() else "zh")


def here(endpoint: str) -> Markup:
    """Return the attribute that marks the current place in a menu."""
    now_at = request.endpoint or ""
    of_its_own = now_at in _OWN_PLACES or endpoint in _OWN_PLACES
    area = now_at.split(".")[0]
    is_here = now_at == endpoint if of_its_own else _MENU.get(area, area) == endpoint.split(".")[0]
    return Markup('aria-current="page"') if is_here else Markup("")


def nav() -> list[dict[str, Any]]:
    """Return the person's menu: by role, with counts of work they may do."""
    return words.menu(g.actor, g.permitted, g.get("session")) if g.get("actor") else []


def answered(node: Any) -> bool:
    """Tell whether something inside a group was answered."""
    return any(inner.value not in (None, "", [], False, {}) for inner in node.inputs() if not inner.children and inner.path)


def limit_name(case: Case, key: str) -> str:
    """Return what a clock of a case is called, by its profile."""
    entry = profiles.values(g.session, case.profile_version_id).describe(key)
    return either(entry.get("name", key), entry.get("name_en"))

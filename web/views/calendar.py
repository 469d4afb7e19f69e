"""The working calendar: holidays and make-up days of a year, edited here."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from engine import calendars, clock
from engine.errors import InvalidInput
from engine.permissions import Permission
from models import DayKind
from web.forms.base import BaseForm
from web.guards import requires
from web.language import is_english
from web.places import number_asked

views = Blueprint("calendar", __name__, url_prefix="/calendar")


class DayForm(BaseForm):
    """A day and what it is."""

    day = DateField(_l("哪一天"), [InputRequired(_l("请填日期。"))])
    kind = SelectField(
        _l("是什么"),
        choices=[SelectChoice("holiday", _l("休息")), SelectChoice("workday", _l("上班（调休）")), SelectChoice("usual", _l("按星期，不特别"))],
    )
    note = StringField(_l("说明"), [Length(max=60)])


@views.route("", methods=["GET", "POST"])
@requires(Permission.CALENDAR_EDIT)
def index() -> ResponseReturnValue:
    """Show the exceptional days of a year and set one."""
    year = number_asked("year", clock.today().year, 2000, 2100)
    year = min(max(year, 2000), 2200)
    form = DayForm()
    if request.method == "POST" and form.validate():
        chosen: date = form.day.data
        try:
            calendars.set_day(g.session, g.actor, chosen, DayKind(form.kind.data) if form.kind.data != "usual" else None, form.note.data)
            flash(_("已保存。在走的时限不变，新的时限按新日历算。"), "done")
            return redirect(url_for("calendar.index", year=chosen.year))
        except InvalidInput:
            form.day.errors = [_("请填前后三年内的日期。")]
    return render_template(
        "calendar/index.html",
        form=form,
        days=calendars.of_year(g.session, year),
        year=year,
        english=calendars.in_english(year) if is_english() else {},
        covered=calendars.current(g.session).covers(year),
    ), 422 if form.errors else 200

"""Organisations: the tree from province to village, seen by many and changed by the system administrator."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from engine import organisations
from engine.errors import InvalidInput, NotFound
from engine.permissions import Permission
from models import Appointment, Level, Organisation, OrganisationKind, Person, Profile
from web import words
from web.forms.base import BaseForm
from web.guards import requires
from web.language import either

views = Blueprint("organisations", __name__, url_prefix="/organisations")


class OrganisationForm(BaseForm):
    """What is known of an organisation."""

    name = StringField(_l("名称"), [InputRequired(_l("请填名称。")), Length(max=80, message=_l("最多 80 个字。"))])
    short_name = StringField(_l("简称"), [Length(max=40)])
    name_en = StringField(_l("英文名称"), [Length(max=120)])
    kind = SelectField(_l("种类"), choices=[SelectChoice(kind.value, words.ORGANISATION_KINDS[kind]) for kind in OrganisationKind])
    level = SelectField(_l("层级"), choices=[SelectChoice(level.value, words.LEVELS[level]) for level in Level])
    grade = StringField(_l("等级"), [Length(max=20)])
    phone = StringField(_l("值班电话"), [Length(max=30)])
    profile_id = SelectField(lazy_pgettext("one", "地方参数"))
    is_active = BooleanField(_l("在用"), default=True)


class NewOrganisationForm(OrganisationForm):
    """A new organisation: also its code and where it lies."""

    code = StringField(_l("代码"), [InputRequired(_l("请填代码。")), Length(max=20)])
    parent_id = SelectField(_l("所在地区"))


def _choices(form: OrganisationForm) -> None:
    form.profile_id.choices = [SelectChoice("", _("跟随上级地区"))] + [
        SelectChoice(str(profile.id), either(profile.name, profile.name_en))
        for profile in g.session.scalars(sa.select(Profile).order_by(Profile.key))
    ]
    if isinstance(form, NewOrganisationForm):
        areas = g.session.scalars(sa.select(Organisation).where(Organisation.kind == OrganisationKind.AREA).order_by(Organisation.path))
        form.parent_id.choices = [SelectChoice(str(area.id), "　" * (area.path.count("/") - 2) + either(area.name, area.name_en)) for area in areas]


@views.get("")
@requires(Permission.ORGANISATION_READ)
def index() -> ResponseReturnValue:
    """Show the tree."""
    return render_template("organisations/index.html", rows=organisations.tree(g.session))


@views.route("/new", methods=["GET", "POST"])
@requires(Permission.ORGANISATION_EDIT)
def new() -> ResponseReturnValue:
    """Add an organisation."""
    form = NewOrganisationForm()
    _choices(form)
    if request.method == "POST" and form.validate():
        parent = organisations.get(g.session, UUID(form.parent_id.data))
        values = _values(form)
        try:
            organisation = organisations.add(g.session, g.actor, parent=parent, code=form.code.data or "", **values)
            flash(_("已新增。"), "done")
            return redirect(url_for("organisations.show", code=organisation.code))
        except InvalidInput:
            form.code.errors = [_("代码要用字母、数字和连字符，不能与已有的相同。")]
    return render_template("organisations/edit.html", form=form, organisation=None), 422 if form.errors else 200


@views.get("/<code>")
@requires(Permission.ORGANISATION_READ)
def show(code: str) -> ResponseReturnValue:
    """Show an organisation with its people."""
    organisation = _get(code)
    people = g.session.execute(
        sa.select(Person, Appointment)
        .join(Appointment, Appointment.person_id == Person.id)
        .where(Appointment.organisation_id == organisation.id, Appointment.until_on.is_(None))
        .order_by(Person.name)
    ).all()
    parent = g.session.get(Organisation, organisation.parent_id) if organisation.parent_id else None
    profile = g.session.get(Profile, organisation.profile_id) if organisation.profile_id else None
    return render_template("organisations/show.html", organisation=organisation, people=people, parent=parent, profile=profile)


@views.route("/<code>/edit", methods=["GET", "POST"])
@requires(Permission.ORGANISATION_EDIT)
def edit(code: str) -> ResponseReturnValue:
    """Change an organisation."""
    organisation = _get(code)
    form = OrganisationForm(
        data={
            **{key: getattr(organisation, key) for key in ("name", "short_name", "name_en", "grade", "phone", "is_active")},
            "kind": organisation.kind.value,
            "level": organisation.level.value,
            "profile_id": str(organisation.profile_id or ""),
        }
    )
    _choices(form)
    if request.method == "POST" and form.validate():
        organisations.change(g.session, g.actor, organisation, _values(form))
        flash(_("已保存。"), "done")
        return redirect(url_for("organisations.show", code=code))
    return render_template("organisations/edit.html", form=form, organisation=organisation), 422 if form.errors else 200


def _values(form: OrganisationForm) -> dict[str, object]:
    return {
        "name": form.name.data,
        "short_name": form.short_name.data or None,
        "name_en": form.name_en.data or None,
        "kind": OrganisationKind(form.kind.data),
        "level": Level(form.level.data),
        "grade": form.grade.data or None,
        "phone": form.phone.data or None,
        "profile_id": UUID(form.profile_id.data) if form.profile_id.data else None,
        "is_active": bool(form.is_active.data),
    }


def _get(code: str) -> Organisation:
    organisation: Organisation | None = g.session.scalar(sa.select(Organisation).where(Organisation.code == code))
    if organisation is None:
        raise NotFound
    return organisation

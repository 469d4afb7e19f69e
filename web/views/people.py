"""People: accounts kept by the system administrator, roles given by the security administrator."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from wtforms import BooleanField, DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from engine import codes, people
from engine.errors import InvalidInput, NotAllowed
from engine.permissions import Permission
from models import Organisation, OrganisationKind, Person, Role, Title
from web import application, words
from web.errors import sentence
from web.forms.base import BaseForm
from web.guards import requires
from web.language import either
from web.places import number_asked

views = Blueprint("people", __name__, url_prefix="/people")


class PersonForm(BaseForm):
    """What is known of a person."""

    name = StringField(_l("姓名"), [InputRequired(_l("请填姓名。")), Length(max=60)])
    phone = StringField(_l("手机号"), [Length(max=30)])
    email = StringField(_l("邮箱"), [Optional(), Regexp(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z", message=_l("邮箱写得不对。")), Length(max=120)])
    title = SelectField(_l("职称"))
    discipline = SelectField(_l("专业"))
    is_active = BooleanField(_l("账号在用"), default=True)


class NewPersonForm(PersonForm):
    """A new account."""

    username = StringField(_l("工号"), [InputRequired(_l("请填工号。")), Length(max=40)])


class AppointForm(BaseForm):
    """A role in an organisation."""

    role = SelectField(lazy_pgettext("one", "角色"), choices=[SelectChoice(role.value, words.ROLES[role]) for role in Role])
    organisation = SelectField(lazy_pgettext("one", "单位"))
    from_on = DateField(_l("从哪天起"), [Optional()])
    until_on = DateField(_l("到哪天止"), [Optional()])


def _lists(form: PersonForm) -> None:
    form.title.choices = [SelectChoice("", _("无"))] + [SelectChoice(title.value, words.TITLES[title]) for title in Title]
    form.discipline.choices = [SelectChoice("", _("无"))] + [
        SelectChoice(code.code, either(code.zh, code.en)) for code in codes.lists()["CS-DISCIPLINE"].codes
    ]


def _appoint_form(fresh: bool = False) -> AppointForm:
    form = AppointForm(formdata=None) if fresh else AppointForm()
    rows = g.session.scalars(
        sa.select(Organisation).where(Organisation.kind != OrganisationKind.AREA, Organisation.is_active).order_by(Organisation.path)
    )
    form.organisation.choices = [SelectChoice(str(row.id), either(row.name, row.name_en)) for row in rows]
    return form


@views.get("")
@requires(Permission.PERSON_READ)
def index() -> ResponseReturnValue:
    """List people; what was searched for is kept with the session."""
    typed = g.sign_in.searches.get(request.args.get("search", ""), "") if request.args.get("search") else ""
    page = number_asked("page", 1)
    rows, count = people.find(g.session, typed, page=page)
    return render_template(
        "people/index.html",
        rows=rows,
        count=count,
        page=page,
        typed=typed,
        page_url=lambda number: url_for("people.index", search=request.args.get("search"), page=number),
    )


@views.post("/search")
@requires(Permission.PERSON_READ)
def search() -> ResponseReturnValue:
    """Keep what was typed and show the matches."""
    key = people.keep_search(g.session, g.sign_in, request.form.get("words", ""))
    return redirect(url_for("people.index", search=key or None))


@views.route("/new", methods=["GET", "POST"])
@requires(Permission.PERSON_EDIT)
def new() -> ResponseReturnValue:
    """Make an account."""
    form = NewPersonForm()
    _lists(form)
    if request.method == "POST" and form.validate():
        try:
            with g.session.begin_nested():
                person = people.add(
                    g.session,
                    g.actor,
                    username=form.username.data or "",
                    name=form.name.data or "",
                    phone=form.phone.data,
                    email=form.email.data,
                    title=Title(form.title.data) if form.title.data else None,
                    discipline=form.discipline.data,
                )
            return _issued(person, people.issue_password(g.session, application().settings.policy, g.actor, person))
        except InvalidInput:
            form.username.errors = [_("工号要用字母、数字、点、连字符或下划线，不能与已有的相同。")]
        except sa.exc.IntegrityError:
            form.phone.errors = [_("这个手机号已有人用。")]
    return render_template("people/edit.html", form=form, person=None), 422 if form.errors else 200


def _issued(person: Person, password: str) -> ResponseReturnValue:
    return render_template("people/issued.html", person=person, password=password)


@views.get("/<username>")
@requires(Permission.PERSON_READ)
def show(username: str) -> ResponseReturnValue:
    """Show a person with their roles."""
    return _page(people.get(g.session, username), _appoint_form(fresh=True))


def _page(person: Person, form: AppointForm, status: int = 200) -> ResponseReturnValue:
    shown = sorted(person.appointments, key=lambda entry: (entry.until_on is not None, entry.from_on))
    is_kept_apart = people.is_kept_apart(person)
    return render_template("people/show.html", person=person, appointments=shown, form=form, is_kept_apart=is_kept_apart), status


@views.route("/<username>/edit", methods=["GET", "POST"])
@requires(Permission.PERSON_EDIT)
def edit(username: str) -> ResponseReturnValue:
    """Change an account."""
    person = people.get(g.session, username)
    form = PersonForm(
        data={
            "name": person.name,
            "phone": person.phone,
            "email": person.email,
            "title": person.title.value if person.title else "",
            "discipline": person.discipline or "",
            "is_active": person.is_active,
        }
    )
    _lists(form)
    if request.method == "POST" and form.validate():
        if person.id == g.actor.person_id and not form.is_active.data:
            form.is_active.errors = [_("不能停用自己的账号。")]
        else:
            try:
                with g.session.begin_nested():
                    people.change(
                        g.session,
                        g.actor,
                        person,
                        name=form.name.data,
                        phone=form.phone.data or None,
                        email=form.email.data or None,
                        title=Title(form.title.data) if form.title.data else None,
                        discipline=form.discipline.data or None,
                        is_active=bool(form.is_active.data),
                    )
                flash(_("已保存。"), "done")
                return redirect(url_for("people.show", username=username))
            except sa.exc.IntegrityError:
                form.phone.errors = [_("这个手机号已有人用。")]
    return render_template("people/edit.html", form=form, person=person), 422 if form.errors else 200


@views.post("/<username>/password")
@requires(Permission.PERSON_EDIT)
def password(username: str) -> ResponseReturnValue:
    """Give a person a new first password, shown this once."""
    person = people.get(g.session, username)
    if person.id == g.actor.person_id or people.is_kept_apart(person):
        raise NotAllowed
    return _issued(person, people.issue_password(g.session, application().settings.policy, g.actor, person))


@views.post("/<username>/second-factor")
@requires(Permission.ROLE_APPOINT)
def second_factor(username: str) -> ResponseReturnValue:
    """Let a person who lost the authenticator connect another: by the security administrator, who gives out no passwords."""
    person = people.get(g.session, username)
    if person.id == g.actor.person_id or people.is_kept_apart(person):
        raise NotAllowed
    people.reset_second_factor(g.session, g.actor, person)
    flash(_("已重置，下次登录时重新启用第二重验证。"), "done")
    return redirect(url_for("people.show", username=username))


@views.post("/<username>/appointments")
@requires(Permission.ROLE_APPOINT)
def appoint(username: str) -> ResponseReturnValue:
    """Give a person a role; nobody appoints themselves."""
    person, form = people.get(g.session, username), _appoint_form()
    if person.id == g.actor.person_id:
        raise NotAllowed
    if form.validate():
        organisation = g.session.get(Organisation, UUID(form.organisation.data))
        try:
            people.appoint(g.session, g.actor, person, Role(form.role.data), organisation, from_on=form.from_on.data, until_on=form.until_on.data)
            flash(_("已任命。"), "done")
            return redirect(url_for("people.show", username=username))
        except people.TwoAdministrators as error:
            form.role.errors = [sentence(error)]
        except InvalidInput:
            form.role.errors = [_("已经担任，或日期先后不对。")]
    return _page(person, form, 422)


@views.post("/<username>/appointments/<uuid:appointment_id>/end")
@requires(Permission.ROLE_APPOINT)
def dismiss(username: str, appointment_id: UUID) -> ResponseReturnValue:
    """End an appointment; work the person holds in it goes back to its queue."""
    person = people.get(g.session, username)
    if person.id == g.actor.person_id or appointment_id not in {entry.id for entry in person.appointments}:
        raise NotAllowed
    people.dismiss(g.session, g.actor, appointment_id)
    flash(_("已免去。手上的任务放回了队列。"), "done")
    return redirect(url_for("people.show", username=username))

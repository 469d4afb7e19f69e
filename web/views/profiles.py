"""Profiles: local limits, cycles, quorum and triggers, with their sources, for reading."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from engine import profiles
from engine.errors import NotFound
from engine.permissions import Permission
from models import Organisation, Profile, ProfileVersion
from web.guards import requires
from web.places import number_asked

views = Blueprint("profiles", __name__, url_prefix="/profiles")


@views.get("")
@requires(Permission.PROFILE_READ)
def index() -> ResponseReturnValue:
    """List the profiles and the areas that keep them."""
    rows = []
    for profile in g.session.scalars(sa.select(Profile).order_by(Profile.key)):
        areas = g.session.scalars(sa.select(Organisation).where(Organisation.profile_id == profile.id).order_by(Organisation.path)).all()
        rows.append((profile, profiles.in_force(g.session, profile.key), areas))
    return render_template("profiles/index.html", rows=rows)


@views.get("/<key>")
@requires(Permission.PROFILE_READ)
def show(key: str) -> ResponseReturnValue:
    """Show a profile's values, and where they differ from the national default."""
    number = number_asked("version", 0, 0)
    profile = g.session.scalar(sa.select(Profile).where(Profile.key == key))
    if profile is None:
        raise NotFound
    versions = list(
        g.session.scalars(sa.select(ProfileVersion).where(ProfileVersion.profile_id == profile.id).order_by(ProfileVersion.number.desc()))
    )
    version = next((row for row in versions if row.number == number), None) or profiles.in_force(g.session, key)
    base = profiles.in_force(g.session, profiles.DEFAULT)
    return render_template(
        "profiles/show.html",
        profile=profile,
        version=version,
        versions=versions,
        content=version.content,
        base=base.content,
        values=profiles.Values(version.content),
    )

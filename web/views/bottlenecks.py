"""Bottlenecks: where the cases of a procedure wait, on its diagram and as a table. Counts and durations, never a case."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import bottlenecks, clock, permissions, procedures
from engine.bottlenecks import Filter, Measured
from engine.errors import NotFound
from engine.permissions import Permission
from models import Procedure, ProcedureVersion, Role
from web import application, diagrams, downloads, words
from web.guards import requires
from web.jinja import span
from web.language import either

NARROWED = ("period", "since", "until", "profile", "version", "role", "organisation")
KEPT_S = 20.0
views = Blueprint("bottlenecks", __name__, url_prefix="/bottlenecks")
PERIODS = {"30": _l("最近 30 天"), "90": _l("最近 90 天"), "365": _l("最近一年"), "all": _l("全部"), "own": _l("自定")}
MEASURES = {
    "total": _l("用时（中位数）"),
    "total_high": _l("用时（九成在此之内）"),
    "queue": _l("等人认领（中位数）"),
    "work": _l("认领后办理（中位数）"),
    "waiting": _l("现在等着的个案"),
    "late": _l("超时限的比例"),
    "again": _l("重做的次数"),
    "passed": _l("办完的次数"),
}
SHORT = {
    "waiting": _l("现在等着"),
    "passed": _l("办完"),
    "total": _l("用时"),
    "total_high": _l("九成在此之内"),
    "queue": _l("等人认领"),
    "work": _l("认领后办理"),
    "late": _l("超时限"),
    "again": _l("重做"),
}
COLUMNS = ("waiting", "passed", "total", "total_high", "queue", "work", "late", "again")
EXTRA = {"queue_high": _l("等人认领（九成在此之内）"), "work_high": _l("认领后办理（九成在此之内）")}


@views.get("")
@requires(Permission.PROCEDURE_MEASURE)
def index() -> ResponseReturnValue:
    """Go to the first procedure; the others are chosen there."""
    key = g.session.scalar(sa.select(Procedure.key).order_by(Procedure.key).limit(1))
    if key is None:
        raise NotFound
    return redirect(url_for("bottlenecks.show", key=key))


@views.get("/<key>")
@requires(Permission.PROCEDURE_MEASURE)
def show(key: str) -> ResponseReturnValue:
    """Show where cases wait: the diagram in colours and numbers, and the same as a table."""
    procedure, version, wanted = _asked(key)
    deployed = procedures.deployed(g.session, version.id)
    measured = _measured(key, wanted)
    asked = arguments()
    rows = _rows(deployed, measured, asked["sort"], asked["order"])
    return render_template(
        "bottlenecks/show.html",
        procedure=procedure,
        procedures=g.session.execute(sa.select(Procedure.key, Procedure.name, Procedure.name_en).order_by(Procedure.key)).all(),
        version=version,
        key=key,
        asked=asked,
        measures=MEASURES,
        short=SHORT,
        columns=COLUMNS,
        periods=PERIODS,
        choices=bottlenecks.choices(g.session, g.actor, key),
        roles=words.ROLES,
        rows=rows,
        now_waiting=sum(row["measured"].waiting for row in rows if not row["measured"].is_part),
        done=sum(row["measured"].passed for row in rows if not row["measured"].is_part),
        cell=cell,
        parts=[(process, name, _diagram_url(key, process, asked)) for process, name in diagrams.processes(deployed)],
        table_url=lambda **changed: url_for("bottlenecks.show", key=key, **{**_given(asked), **changed}),
        csv_url=url_for("bottlenecks.table", key=key, **_given(asked)),
        steps=scale(measured, asked["measure"]),
    )


@views.get("/<key>/diagram/<process>.json")
@requires(Permission.PROCEDURE_MEASURE)
def diagram(key: str, process: str) -> ResponseReturnValue:
    """Return a diagram for the viewer with a colour and a number for every step."""
    _procedure, version, wanted = _asked(key)
    deployed = procedures.deployed(g.session, version.id)
    drawing = diagrams.drawn(deployed, process)
    chosen = arguments()["measure"]
    measured = _measured(key, wanted)
    highest = top(measured, chosen)
    heat = {}
    for element in (element for element in deployed.specification.elements.values() if element.process == process):
        one = measured.get(element.id)
        level = bottlenecks.level(one, chosen, highest) if one is not None else None
        if one is not None and level is not None:
            heat[element.id] = {"level": level, "text": cell(one, chosen), "waiting": one.waiting}
    return drawing | {"heat": heat}


@views.get("/<key>/table.csv")
@requires(Permission.PROCEDURE_MEASURE)
def table(key: str) -> ResponseReturnValue:
    """Return the table for a spreadsheet: durations in hours."""
    _procedure, version, wanted = _asked(key)
    deployed = procedures.deployed(g.session, version.id)
    asked = arguments()
    rows = _rows(deployed, _measured(key, wanted), asked["sort"], asked["order"])
    columns, heads = [*COLUMNS[:5], "queue_high", "work", "work_high", "late", "again"], {**MEASURES, **EXTRA}
    head = [_("步骤"), _("标识"), _("所在的图"), _("角色"), *(str(heads[column]) + _unit(column) for column in columns)]
    cells = [[row["name"], row["id"], row["process"], row["role"], *(_figure(row["measured"], column) for column in columns)] for row in rows]
    return downloads.table([head, *cells], f"{key}-{clock.today():%Y%m%d}.csv")


def _asked(key: str) -> tuple[Procedure, ProcedureVersion, Filter]:
    """Return what the address asks for: the procedure, the version whose diagram is shown, and what is measured."""
    procedure = procedures.get(g.session, key)
    asked = arguments()
    in_use = procedures.in_use(g.session, procedure)
    if in_use is None:
        raise NotFound
    of_procedure = g.session.scalars(sa.select(ProcedureVersion).where(ProcedureVersion.procedure_id == procedure.id))
    version = next((version for version in of_procedure if str(version.number) == asked["version"]), None)
    since, until = period(asked)
    roles = {role.value for role in Role}
    return (
        procedure,
        version or in_use,
        Filter(
            since,
            until,
            asked["profile"],
            version.number if version else None,
            Role(asked["role"]) if asked["role"] in roles else None,
            _key(asked["organisation"]),
        ),
    )


def _measured(key: str, wanted: Filter) -> dict[str, Measured]:
    """Return what was measured; kept for a moment, since a page and its diagrams ask for the same."""
    asked = arguments()
    kept: dict[Any, tuple[float, dict[str, Measured]]] = application().extensions.setdefault("bottlenecks", {})
    of = (key, tuple(permissions.reaches(g.actor, Permission.PROCEDURE_MEASURE)), *(asked[name] for name in NARROWED))
    found = kept.get(of)
    now = monotonic()
    if found is None or now - found[0] > KEPT_S:
        for old in [name for name, (at, _) in kept.items() if now - at > KEPT_S]:
            kept.pop(old, None)
        found = kept[of] = (now, bottlenecks.measure(g.session, g.actor, key, wanted))
    return found[1]


def arguments() -> dict[str, str]:
    """Return what the address asks for, within what can be asked."""
    asked = request.args
    found = {name: asked.get(name, "")[:60] for name in ("profile", "version", "role", "organisation", "since", "until")}
    found["period"] = asked.get("period", "365") if asked.get("period", "365") in PERIODS else "365"
    found["measure"] = asked.get("measure", "total") if asked.get("measure", "total") in MEASURES else "total"
    found["sort"] = asked.get("sort", found["measure"]) if asked.get("sort", "") in (*MEASURES, "step") else found["measure"]
    found["order"] = "up" if asked.get("order") == "up" else "down"
    return found


def _given(asked: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


def period(asked: dict[str, str]) -> tuple[datetime | None, datetime | None]:
    """Return the instants between which something is measured."""
    if asked["period"] == "own":
        return _midnight(asked["since"], 0), _midnight(asked["until"], 1)
    return (None, None) if asked["period"] == "all" else (clock.now() - timedelta(days=int(asked["period"])), None)


def _midnight(text: str, later: int) -> datetime | None:
    try:
        day = date.fromisoformat(text)
        if not 1900 < day.year < 9000:  # what no database keeps in every zone
            return None
        return datetime.combine(day + timedelta(days=later), time(), clock.zone())
    except (ValueError, OverflowError):
        return None


def _key(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _diagram_url(key: str, process: str, asked: dict[str, str]) -> str:
    return url_for("bottlenecks.diagram", key=key, process=process, **_given(asked))


def _rows(deployed: Any, measured: dict[str, Measured], sort: str, order: str) -> list[dict[str, Any]]:
    """Return the table: a row per step and called part of the diagrams, and of steps that older versions had."""
    specification = deployed.specification
    place = {element: number for process in specification.processes.values() for number, element in enumerate(process.outline)}
    found = []
    for element_id, one in measured.items():
        element = specification.elements.get(element_id)
        process = specification.processes.get(element.process) if element else None
        found.append(
            {
                "id": element_id,
                "name": either(element.name, element.name_en) if element else element_id,
                "process": either(process.name, process.name_en) if process else _("这一版没有这一步"),
                "order": (list(specification.processes).index(element.process) if element else 99, place.get(element_id, 999)),
                "role": words.role_name(element.role) if element and element.role and not one.is_part else "",
                "measured": one,
            }
        )
    if sort == "step":
        return sorted(found, key=lambda row: row["order"], reverse=order == "down" and "order" in request.args)
    sign = 1 if order == "up" else -1
    return sorted(
        found,
        key=lambda row: (row["measured"].value(sort) is None, sign * (row["measured"].value(sort) or 0), not row["measured"].is_part, row["order"]),
    )


def cell(measured: Measured, column: str) -> str:
    """Return a measure in words."""
    value = measured.value(column)
    if value is None:
        return ""
    if column == "late":
        return f"{value:.0%}"
    if column in ("waiting", "passed", "again"):
        return str(int(value))
    return span(timedelta(seconds=value))


def top(measured: dict[str, Measured], column: str) -> float:
    """Return the highest value of a measure, of steps alone where it is a time: a part takes as long as all in it."""
    values = [one.value(column) or 0.0 for one in measured.values() if not one.is_part or column not in ("total", "total_high")]
    return max(values, default=0.0)


def scale(measured: dict[str, Measured], column: str) -> list[tuple[int, str]]:
    """Return what the four colours mean."""
    if column == "late":
        return [(1, "< 10%"), (2, "10–25%"), (3, "25–50%"), (4, "≥ 50%")]
    highest = top(measured, column)
    if highest <= 0:
        return []
    bounds = [highest * step / 4 for step in range(1, 5)]
    if column in ("waiting", "passed", "again"):
        return [(number + 1, f"≤ {int(bound)}") for number, bound in enumerate(bounds) if int(bound) > 0]
    return [(number + 1, f"≤ {span(timedelta(seconds=bound))}") for number, bound in enumerate(bounds)]


def _unit(column: str) -> str:
    return _("（小时）") if column.startswith(("total", "queue", "work")) else ""


def _figure(measured: Measured, column: str) -> str:
    value = measured.value(column)
    if value is None:
        return ""
    if column == "late":
        return f"{value:.3f}"
    return str(int(value)) if column in ("waiting", "passed", "again") else f"{value / 3600:.2f}"

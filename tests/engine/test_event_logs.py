"""Event logs: XES as the standard asks, complete, and silent about people."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from lxml import etree

from engine import clock, event_logs
from engine.bottlenecks import Filter
from engine.errors import NotFound
from models import Organisation, OrganisationKind, Person, Role, Subject, WorkItem, WorkItemState
from tests.engine.conftest import At
from tests.worlds import World

KEY, NS = "maternal_death", "{http://www.xes-standard.org/}"
KINDS = ("string", "date", "int", "float", "boolean", "id", "list", "container")
TRANSITIONS = {"schedule", "assign", "start", "complete", "withdraw"}  # of the standard's lifecycle


def log_of(world: World, who: str = "liucheng", **wanted: object) -> etree._Element:
    text = "".join(event_logs.write(world.session, world.actor(who), KEY, Filter(**wanted)))  # type: ignore[arg-type]
    return etree.fromstring(text.encode())


def values(node: etree._Element) -> dict[str, str]:
    return {child.get("key", ""): child.get("value", "") for child in node if child.tag != f"{NS}event"}


def test_it_keeps_the_rules_of_the_schema(at: At) -> None:
    """IEEE 1849-2016: order of the log's children, declared prefixes, globals in every trace and event, typed values."""
    log = log_of(at("give_opinion"))
    assert (log.tag, log.get("xes.version")) == (f"{NS}log", "1849-2016")
    order = ["extension", "global", "classifier", *KINDS, "trace"]
    names = [etree.QName(child).localname for child in log]
    groups = [0 if name == "extension" else 1 if name == "global" else 2 if name == "classifier" else 3 if name in KINDS else 4 for name in names]
    assert groups == sorted(groups)
    assert set(names) <= set(order)
    prefixes = {entry.get("prefix"): entry for entry in log.iter(f"{NS}extension")}
    assert set(prefixes) == {"concept", "time", "lifecycle", "org"}
    assert all(entry.get("uri") == f"http://www.xes-standard.org/{prefix}.xesext" for prefix, entry in prefixes.items())
    assert [entry.get("scope") for entry in log.iter(f"{NS}global")] == ["trace", "event"]
    for entry in log.iter(f"{NS}global"):
        wanted = {child.get("key") for child in entry}
        for node in log.iter(f"{NS}{entry.get('scope')}"):
            assert wanted <= set(values(node))
    for classifier in log.iter(f"{NS}classifier"):
        assert classifier.get("keys")
    for attribute in log.iter(*(f"{NS}{kind}" for kind in KINDS)):
        key = attribute.get("key") or ""
        assert set(attribute.attrib) == {"key", "value"}
        assert ":" not in key or key.split(":")[0] in prefixes
    for stamp in log.iter(f"{NS}date"):
        from datetime import datetime

        assert datetime.fromisoformat(stamp.get("value") or "").tzinfo is not None


def test_every_step_is_told_in_the_order_of_time(at: At) -> None:
    world = at("give_opinion")
    items = world.rows(WorkItem)
    traces = list(log_of(world).iter(f"{NS}trace"))
    assert len(traces) == 1
    events = [values(event) for event in traces[0].iter(f"{NS}event")]
    assert [event["time:timestamp"] for event in events] == sorted(event["time:timestamp"] for event in events)
    assert {event["lifecycle:transition"] for event in events} <= TRANSITIONS
    count = {transition: sum(event["lifecycle:transition"] == transition for event in events) for transition in TRANSITIONS}
    assert count["schedule"] == len(items)
    assert count["complete"] == sum(item.state is WorkItemState.COMPLETED for item in items)
    assert count["start"] == sum(item.claimed_at is not None and not item.is_assigned for item in items)
    assert {event["org:role"] for event in events} <= {role.value for role in Role}
    assert {event["org:group"] for event in events} <= {kind.value for kind in OrganisationKind}
    instances: dict[str, list[str]] = {}
    for event in events:
        instances.setdefault(event["concept:instance"], []).append(event["lifecycle:transition"])
    assert all(found[0] == "schedule" for found in instances.values())


def test_withdrawn_steps_are_withdrawn(at: At) -> None:
    from engine import cases, steering

    world = at("visit_scene")
    steering.skip(world.session, world.actor("gaohuairen"), cases.reference(world.session, world.case), world.item("visit_scene").id, {}, "x")
    events = [values(event) for event in log_of(world).iter(f"{NS}event")]
    assert [event["step"] for event in events if event["lifecycle:transition"] == "withdraw"] == ["visit_scene"]


def test_nobody_is_named_and_the_case_only_to_those_who_see_it(at: At) -> None:
    world = at("give_opinion")
    text = "".join(event_logs.write(world.session, world.actor("liucheng"), KEY, Filter()))
    people = world.session.scalars(sa.select(Person.name)).all()
    units = world.session.scalars(sa.select(Organisation.name)).all()
    subjects = [name for name in world.session.scalars(sa.select(Subject.name)) if name]
    assert subjects
    assert not [name for name in (*people, *units, *subjects) if name in text.replace("孕产妇死亡评审", "")]
    assert (world.case.number or "none") not in text
    assert values(next(log_of(world).iter(f"{NS}trace")))["concept:name"] == "1"
    seen = log_of(world, who="gaohuairen")
    assert values(next(seen.iter(f"{NS}trace")))["concept:name"] == world.case.number


def test_it_is_narrowed_and_bounded_to_ones_area(at: At) -> None:
    world = at("visit_scene")
    assert not list(log_of(world, since=clock.now()).iter(f"{NS}trace"))
    assert list(log_of(world, since=clock.now() - timedelta(days=900)).iter(f"{NS}trace"))
    assert not list(log_of(world, version=9).iter(f"{NS}trace"))
    assert not list(log_of(world, profile="rencheng").iter(f"{NS}trace"))
    assert not list(log_of(world, who="waidi").iter(f"{NS}trace"))
    with pytest.raises(NotFound):
        list(event_logs.write(world.session, world.actor("liucheng"), "none", Filter()))


def test_it_comes_in_pieces_and_hostile_names_stay_text(at: At) -> None:
    world = at("visit_scene")
    world.session.execute(sa.update(WorkItem).values(name='"/><evil attr="&\x07<![CDATA['))
    pieces = list(event_logs.write(world.session, world.actor("liucheng"), KEY, Filter()))
    assert len(pieces) >= 3
    log = etree.fromstring("".join(pieces).encode())
    assert not list(log.iter(f"{NS}evil"))
    assert {values(event)["concept:name"] for event in log.iter(f"{NS}event")} == {'"/><evil attr="&<![CDATA['}

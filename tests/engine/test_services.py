"""What a diagram may wish for: each service stands with its noun, and one that fails rolls the command back."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import engine
from engine import environment, procedures, services
from engine.errors import StepFailed
from engine.projection import Command
from engine.workflow import Request
from tests.engine.conftest import At
from tests.worlds import World


def command(world: World) -> Command:
    deployed = procedures.deployed(world.session, world.case.procedure_version_id)
    return Command(world.session, world.case, deployed, environment.of_case(world.session, world.case), world.actor("tangyining"))


def test_every_service_stands_in_a_home_that_is_imported_for_it() -> None:
    for name, function in services.all_services().items():
        home = function.__module__.removeprefix("engine.")
        assert home in services.HOMES, name
        assert getattr(importlib.import_module(f"engine.{home}"), name) is function


def test_no_module_registers_a_service_that_is_not_found() -> None:
    folder = Path(str(engine.__file__)).parent
    with_services = {path.stem for path in folder.glob("*.py") if "@service\n" in path.read_text("utf-8")}
    assert with_services == set(services.HOMES)


def test_every_service_says_what_it_does() -> None:
    assert all((function.__doc__ or "").strip() for function in services.all_services().values())


def test_a_service_that_nobody_knows_fails_the_step(at: At) -> None:
    with pytest.raises(StepFailed) as caught:
        services.carry_out(command(at("verify_report")), Request("delete_everything", {}, "the_element"))
    assert (caught.value.element, caught.value.reason) == ("the_element", "no service 'delete_everything'")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("transfer_case", {}),
        ("transfer_case", {"to": "nowhere"}),
        ("transfer_case", {"to": None}),
        ("conclude", {}),
        ("merge_case", {"into": "x"}),
        ("note_item", {"item": "x", "state": "verified"}),
        ("tell", {"whom": "owner.qc_officer"}),
        ("hand_over", {}),
        ("make_packet", {"redacted_by": "x"}),
        ("receive_notice", {"received_at": "yesterday", "method": "pigeon"}),
    ],
)
def test_a_service_without_what_it_needs_fails_the_step_and_names_its_element(at: At, name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(StepFailed) as caught:
        services.carry_out(command(at("verify_report")), Request(name, arguments, "the_element"))
    assert caught.value.element in ("the_element", None)
    assert caught.value.reason

"""What a procedure and its files begin with, and the lists of the manifest that name them."""

from __future__ import annotations

import tomllib

import pytest

from engine import blanks, procedures
from engine.errors import InvalidInput

LIST = 'key = "x"  # ours\nforms = [\n  "a", "b",\n  "c",\n]\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('key = "x"\nforms = []\n', 'key = "x"\nforms = ["new"]\n'),
        ('forms = ["a"]', 'forms = ["a", "new"]'),
        ('forms = ["a", ] # b', 'forms = ["a", "new"] # b'),
        (LIST, 'key = "x"  # ours\nforms = [\n  "a", "b",\n  "c", "new",\n]\n'),
        ('forms = ["new"]', 'forms = ["new"]'),
        ('key = "x"', 'key = "x"\nforms = ["new"]\n'),
        ('key = "x"\n\n[more]\nforms = 1\n', 'key = "x"\nforms = ["new"]\n[more]\nforms = 1\n'),
        ("[more]\n", 'forms = ["new"]\n[more]\n'),
    ],
)
def test_a_new_file_is_named_in_the_manifest_and_every_other_line_stays(before: str, after: str) -> None:
    path, changes = blanks.added({procedures.MANIFEST: before.encode()}, "form", "new", "新", "New")
    assert (path, changes[procedures.MANIFEST].decode()) == ("forms/new.json", after)
    assert "new" in tomllib.loads(after)["forms"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('forms = ["gone"]', "forms = []"),
        ('forms = ["a", "gone"]', 'forms = ["a"]'),
        ("forms = ['gone', 'a']", "forms = ['a']"),
        ('shared = ["gone"]\nforms = ["gone_too", "gone"]', 'shared = ["gone"]\nforms = ["gone_too"]'),
        ('forms = [\n  "a",\n  "gone",\n]', 'forms = [\n  "a",\n]'),
        (LIST, LIST),
        ('key = "gone"', 'key = "gone"'),
    ],
)
def test_a_file_that_is_taken_away_is_named_no_longer(before: str, after: str) -> None:
    files = {procedures.MANIFEST: before.encode(), "forms/gone.json": b"{}"}
    left = {**files, **blanks.removed(files, "forms/gone.json")}
    manifest = left[procedures.MANIFEST]
    assert (left["forms/gone.json"], manifest and manifest.decode()) == (None, after)
    tomllib.loads(after)


def test_the_examples_go_with_their_table() -> None:
    files = {"decisions/age.dmn": b"", "decisions/age.examples.json": b"", "forms/age.json": b""}
    assert blanks.removed(files, "decisions/age.dmn") == {"decisions/age.dmn": None, "decisions/age.examples.json": None}
    with pytest.raises(InvalidInput):
        blanks.removed(files, "decisions/age.examples.json")


def test_an_unreadable_manifest_is_left_as_it_is() -> None:
    assert set(blanks.added({procedures.MANIFEST: b"\xff"}, "form", "new", "", "")[1]) == {"forms/new.json"}


def test_no_word_breaks_a_blank() -> None:
    words = 'NAME_EN \x00"\\<&>\uffff KEY'
    files = blanks.procedure("ours", words, words, "maternal_death")
    assert tomllib.loads(files[procedures.MANIFEST].decode())["name"] == 'NAME_EN  "\\<&>  KEY'
    for kind in blanks.KINDS:
        files |= blanks.added(files, kind, "more", words, words)[1]
    assert [complaint for complaint in procedures.check(files) if complaint.level == "error"] == []


def test_the_end_of_a_called_diagram_does_not_close_the_case() -> None:
    assert b'ps:state="closed"' in blanks.diagram("main", "", "")
    assert b"ps:state" not in blanks.diagram("part", "", "", is_called=True)

"""Procedures: checked, kept byte for byte as a version, activated; each version is parsed once per process."""

from __future__ import annotations

import hashlib
import threading
import tomllib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock, forms, journal, profiles, services, workflow
from engine.errors import Deployment, InvalidInput, NotFound
from engine.workflow import checking
from models import CaseKind, Procedure, ProcedureFile, ProcedureVersion

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor

KEPT_IN_MEMORY = 32
MANIFEST = "procedure.toml"


@dataclass(frozen=True)
class Deployed:
    """A version ready to run: what the workflow needs, its forms, its manifest."""

    version_id: UUID
    specification: workflow.Specification
    forms: Mapping[str, forms.Form]
    manifest: Mapping[str, Any]


_loaded: OrderedDict[UUID, Deployed] = OrderedDict()
_lock = threading.Lock()


def shipped() -> list[str]:
    """Return the keys of the procedures that come with the product."""
    return sorted(entry.name for entry in resources.files("bpmn").iterdir() if entry.is_dir() and (entry / MANIFEST).is_file())


def shipped_files(key: str) -> dict[str, bytes]:
    """Return the files of a shipped procedure: its folder, the diagrams it calls and the forms they name."""
    root = resources.files("bpmn")
    return _gathered(root / key, root)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a procedure in a folder; what it shares lies beside the folder, in `shared` and `forms`.

    Raises:
        InvalidInput: no manifest there, or it names what is not there; `what` tells the file.
    """
    try:
        return _gathered(folder, folder.resolve().parent)
    except (OSError, KeyError, TypeError, ValueError) as error:  # a TOML error is a ValueError
        raise InvalidInput(what=str(getattr(error, "filename", None) or f"{folder / MANIFEST}: {error}")) from None


def _gathered(folder: Traversable, root: Traversable) -> dict[str, bytes]:
    files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name == MANIFEST or entry.name.endswith(".bpmn")}
    manifest = tomllib.loads(files[MANIFEST].decode())
    for part in manifest["shared"]:
        files[f"shared/{part}.bpmn"] = (root / "shared" / f"{part}.bpmn").read_bytes()
    for form in manifest["forms"]:
        files[f"forms/{form}.json"] = (root / "forms" / f"{form}.json").read_bytes()
    return files


def digest(files: Mapping[str, bytes]) -> str:
    """Return the hash by which a version is known: over all paths and bytes."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{len(path.encode())}:{path}:{len(content)}:".encode() + content)
    return total.hexdigest()


def check(files: Mapping[str, bytes]) -> list[checking.Complaint]:
    """Tell whether a procedure is fit to deploy; each complaint names its element."""
    return checking.check(files, services=frozenset(services.all_services()), limits=profiles.known_limits())


def deploy(session: Session, actor: Actor | None, files: Mapping[str, bytes], comment: str | None = None) -> ProcedureVersion:
    """Check a procedure and keep it as a new version; the same files are the same version.

    Raises:
        Deployment: it is not fit; nothing is kept.
    """
    complaints = [complaint for complaint in check(files) if complaint.level == "error"]
    if complaints:
        raise Deployment(complaints)
    manifest = tomllib.loads(files[MANIFEST].decode())
    CaseKind(manifest["case_kind"])
    procedure = session.scalar(sa.select(Procedure).where(Procedure.key == manifest["key"]))
    if procedure is None:
        procedure = Procedure(key=manifest["key"], name=manifest["name"], name_en=manifest["name_en"], case_kind=manifest["case_kind"])
        session.add(procedure)
        session.flush()
    known = session.scalar(sa.select(ProcedureVersion).where(ProcedureVersion.procedure_id == procedure.id, ProcedureVersion.digest == digest(files)))
    if known is not None:
        return known
    last = session.scalar(sa.select(sa.func.max(ProcedureVersion.number)).where(ProcedureVersion.procedure_id == procedure.id))
    version = ProcedureVersion(
        procedure_id=procedure.id,
        number=(last or 0) + 1,
        digest=digest(files),
        comment=comment,
        deployed_by_id=actor.person_id if actor else None,
        deployed_at=clock.now(),
    )
    session.add(version)
    session.flush()
    session.add_all(ProcedureFile(version_id=version.id, path=path, content=content) for path, content in files.items())
    journal.record(session, actor, "procedure:deploy", object_id=version.id, key=procedure.key, number=version.number)
    session.flush()
    return version


def activate(session: Session, actor: Actor | None, version: ProcedureVersion) -> None:
    """Let new cases open under a version; running cases stay with the version they know."""
    version.activated_at, version.retired_at = clock.now(), None
    journal.record(session, actor, "procedure:activate", object_id=version.id, number=version.number)
    session.flush()


def active(session: Session, kind: CaseKind) -> ProcedureVersion:
    """Return the version under which a case of this kind opens now.

    Raises:
        NotFound: no procedure for the kind is active.
    """
    version = session.scalar(
        sa.select(ProcedureVersion)
        .join(Procedure)
        .where(Procedure.case_kind == kind.value, ProcedureVersion.activated_at <= clock.now(), ProcedureVersion.retired_at.is_(None))
        .order_by(ProcedureVersion.activated_at.desc(), ProcedureVersion.number.desc())
        .limit(1)
    )
    if version is None:
        raise NotFound
    return version


def active_kinds(session: Session) -> list[CaseKind]:
    """Return the kinds of case for which a procedure is active, in the order in which they are listed."""
    found = set(
        session.scalars(
            sa.select(Procedure.case_kind)
            .join(ProcedureVersion, ProcedureVersion.procedure_id == Procedure.id)
            .where(ProcedureVersion.activated_at <= clock.now(), ProcedureVersion.retired_at.is_(None))
        )
    )
    return [kind for kind in CaseKind if kind.value in found]


def deployed(session: Session, version_id: UUID) -> Deployed:
    """Return a version ready to run. Versions never change: each is read and parsed once per process."""
    with _lock:
        found = _loaded.get(version_id)
        if found is not None:
            _loaded.move_to_end(version_id)
            return found
    rows = session.execute(sa.select(ProcedureFile.path, ProcedureFile.content).where(ProcedureFile.version_id == version_id)).all()
    if not rows:
        raise NotFound
    found = ready(version_id, dict(rows))
    with _lock:
        _loaded[version_id] = found
        while len(_loaded) > KEPT_IN_MEMORY:
            _loaded.popitem(last=False)
    return found


def ready(version_id: UUID, files: Mapping[str, bytes]) -> Deployed:
    """Make files ready to run."""
    manifest = tomllib.loads(files[MANIFEST].decode())
    parsed = {path[6:-5]: forms.parse(content) for path, content in files.items() if path.startswith("forms/")}
    return Deployed(version_id, workflow.read(files, manifest["main"]), parsed, manifest)


def form(session: Session, version_id: UUID, key: str) -> forms.Form:
    """Return a form of a version.

    Raises:
        NotFound: the version has no such form.
    """
    found = deployed(session, version_id).forms.get(key)
    if found is None:
        raise NotFound
    return found

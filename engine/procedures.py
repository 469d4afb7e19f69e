"""Procedures: checked, kept byte for byte as a version, activated; each version is parsed once per process."""

from __future__ import annotations

import hashlib
import re
import threading
import tomllib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock, forms, journal, profiles, services, workflow
from engine.errors import N_, ApprovalNeeded, Deployment, FourEyes, InvalidInput, NotFound, NotNow
from engine.workflow import bounds, checking
from models import CaseKind, Procedure, ProcedureApproval, ProcedureFile, ProcedureVersion

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.actor import Actor

KEPT_IN_MEMORY = 32
MAX_NUMBER = 2**31
"""No database counts further."""
MANIFEST = "procedure.toml"
PATHS = re.compile(
    r"procedure\.toml|[a-z][a-z0-9_]{0,39}\.bpmn|shared/[a-z][a-z0-9_]{0,39}\.bpmn|forms/[a-z][a-z0-9_]{0,39}\.json"
    r"|decisions/[a-z][a-z0-9_]{0,39}\.(dmn|examples\.json)|scenarios/([a-z][a-z0-9_]{0,39}/){0,2}[a-z][a-z0-9_]{0,59}\.toml"
)
"""What a procedure is made of; nothing else is taken."""


KEY_OF_ANOTHER = N_("procedure.toml 里的 key 是“%(named)s”，这份草稿属于“%(key)s”。")
KEY_MEND = N_("把 key 改回“%(key)s”；要建另一套流程，请新建。")


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
    """Return the files of a shipped procedure: its folder with decision tables and scenarios, the diagrams it calls, the forms they name."""
    root = resources.files("bpmn")
    return _gathered(root / key, root)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a procedure in a folder.

    What it shares with others lies beside the folder, in `shared` and `forms`; a procedure that was exported holds all of it.

    Raises:
        InvalidInput: no manifest there, or it names what is not there; `what` tells the file.
    """
    try:
        if (folder / "shared").is_dir() or (folder / "forms").is_dir():
            found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
            return {name: path.read_bytes() for name, path in found.items() if PATHS.fullmatch(name)}
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
    for key in manifest.get("decisions", ()):
        files[f"decisions/{key}.dmn"] = (folder / "decisions" / f"{key}.dmn").read_bytes()
        examples = folder / "decisions" / f"{key}.examples.json"
        if examples.is_file():
            files[f"decisions/{key}.examples.json"] = examples.read_bytes()
    return files | dict(_scenarios(folder / "scenarios", "scenarios"))


def _scenarios(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the scenarios of a procedure, those its folders hold included; a procedure may have none."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name) if folder.is_dir() else ():
        if entry.is_dir():
            yield from _scenarios(entry, f"{path}/{entry.name}")
        elif entry.name.endswith(".toml"):
            yield f"{path}/{entry.name}", entry.read_bytes()


def digest(files: Mapping[str, bytes]) -> str:
    """Return the hash by which a version is known: over all paths and bytes."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{len(path.encode())}:{path}:{len(content)}:".encode() + content)
    return total.hexdigest()


def check(files: Mapping[str, bytes], key: str | None = None) -> list[checking.Complaint]:
    """Tell whether a procedure is fit to deploy; each complaint names its element.

    Args:
        key: The procedure as which the files are to be deployed; they must name no other.
    """
    complaints = checking.check(files, services=services.arguments(), limits=profiles.known_limits(), values=profiles.known_values())
    if key is None:
        return complaints
    return [*_of_another(files, key), *complaints]


def _of_another(files: Mapping[str, bytes], key: str) -> list[checking.Complaint]:
    """Complain where the manifest names another procedure: its versions would become that one's."""
    try:
        named = bounds.toml(files[MANIFEST]).get("key")
    except (KeyError, ValueError):  # the checks say so
        return []
    if named == key or not isinstance(named, str):
        return []
    fields = {"named": named[:60], "key": key}
    return [checking.Complaint("key_of_another", KEY_OF_ANOTHER, file=MANIFEST, fields=fields, mend=KEY_MEND)]


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
    procedure.name, procedure.name_en = manifest["name"][:60], manifest["name_en"][:80]
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


def propose(
    session: Session,
    actor: Actor,
    files: Mapping[str, bytes],
    comment: str,
    *,
    activate_at: datetime | None,
    needs_approval: bool,
    key: str | None = None,
) -> ProcedureVersion:
    """Deploy what an administrator drew, and activate it now or later, or ask a second person for it first.

    Args:
        activate_at: From when new cases open under it; None keeps it aside.
        needs_approval: Whether the profile of the administrator's institution asks for a second person.
        key: The procedure of the draft; files that name another are not fit.

    Raises:
        Deployment: it is not fit; nothing is kept.
    """
    if key is not None and (complaints := _of_another(files, key)):
        raise Deployment(complaints)
    version = deploy(session, actor, files, comment)
    if needs_approval and session.get(ProcedureApproval, version.id) is None:
        session.add(ProcedureApproval(version_id=version.id, asked_by_id=actor.person_id, asked_at=clock.now(), activate_at=activate_at))
        session.flush()
    elif activate_at is not None:
        activate(session, actor, version, _ahead(activate_at))
    return version


def approve(session: Session, actor: Actor, version: ProcedureVersion, *, is_approved: bool, note: str = "") -> None:
    """Give the second person's verdict on a version; approved, it is activated when it was meant to be, or now if that has passed.

    Raises:
        NotNow: nobody asked, or a verdict was given.
        FourEyes: whoever deployed it asks somebody else.
    """
    asked = session.scalar(sa.select(ProcedureApproval).where(ProcedureApproval.version_id == version.id).with_for_update())
    if asked is None or asked.is_approved is not None:
        raise NotNow
    if asked.asked_by_id == actor.person_id:
        raise FourEyes
    asked.is_approved, asked.verdict_by_id, asked.verdict_at, asked.note = is_approved, actor.person_id, clock.now(), note[:500] or None
    journal.record(session, actor, "procedure:approve" if is_approved else "procedure:refuse", object_id=version.id, number=version.number)
    session.flush()
    if is_approved and asked.activate_at is not None:
        activate(session, actor, version, _ahead(asked.activate_at))


def _ahead(at: datetime) -> datetime | None:
    """Return an instant that lies ahead, None for one that has passed while the version was compiled or waited for a verdict."""
    return at if at > clock.now() else None


def activate(session: Session, actor: Actor | None, version: ProcedureVersion, at: datetime | None = None) -> None:
    """Let new cases open under a version from an instant on; running cases stay with the version they know.

    Going back is activating an earlier version again.

    Raises:
        ApprovalNeeded: a second person's verdict is asked for and not given, or it was a refusal.
        InvalidInput: the instant lies behind.
    """
    now = clock.now()
    asked = session.get(ProcedureApproval, version.id)
    if asked is not None and not asked.is_approved:
        raise ApprovalNeeded
    if at is not None and at < now:
        raise InvalidInput
    version.activated_at, version.retired_at = at or now, None
    journal.record(session, actor, "procedure:activate", object_id=version.id, number=version.number, at=(at or now).isoformat())
    session.flush()


def withdraw(session: Session, actor: Actor, version: ProcedureVersion) -> None:
    """Take back an activation that lies ahead.

    Raises:
        NotNow: it does not lie ahead.
    """
    if version.activated_at is None or version.activated_at <= clock.now():
        raise NotNow
    version.activated_at = None
    journal.record(session, actor, "procedure:withdraw", object_id=version.id, number=version.number)
    session.flush()


def get(session: Session, key: str) -> Procedure:
    """Return a procedure by its key.

    Raises:
        NotFound: there is none.
    """
    found = session.scalar(sa.select(Procedure).where(Procedure.key == key))
    if found is None:
        raise NotFound
    return found


def in_use(session: Session, procedure: Procedure) -> ProcedureVersion | None:
    """Return the version of a procedure under which new cases open; before there is one, the newest."""
    of_procedure = sa.select(ProcedureVersion).where(ProcedureVersion.procedure_id == procedure.id)
    active = of_procedure.where(ProcedureVersion.activated_at <= clock.now(), ProcedureVersion.retired_at.is_(None))
    return session.scalar(active.order_by(ProcedureVersion.activated_at.desc(), ProcedureVersion.number.desc()).limit(1)) or session.scalar(
        of_procedure.order_by(ProcedureVersion.number.desc()).limit(1)
    )


def numbered(session: Session, key: str, number: int) -> ProcedureVersion:
    """Return a version by the key of its procedure and its number.

    Raises:
        NotFound: there is none.
    """
    if not 0 < number < MAX_NUMBER:
        raise NotFound
    version = session.scalar(
        sa.select(ProcedureVersion)
        .join(Procedure)
        .where(Procedure.key == key, ProcedureVersion.number == number)
        .options(sa.orm.joinedload(ProcedureVersion.procedure))
    )
    if version is None:
        raise NotFound
    found: ProcedureVersion = version
    return found


def version_files(session: Session, version_id: UUID) -> dict[str, bytes]:
    """Return every file of a version, byte for byte.

    Raises:
        NotFound: no such version.
    """
    rows = session.execute(sa.select(ProcedureFile.path, ProcedureFile.content).where(ProcedureFile.version_id == version_id)).all()
    if not rows:
        raise NotFound
    return dict(rows)


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
    found = ready(version_id, version_files(session, version_id))
    with _lock:
        _loaded[version_id] = found
        while len(_loaded) > KEPT_IN_MEMORY:
            _loaded.popitem(last=False)
    return found


def ready(version_id: UUID, files: Mapping[str, bytes]) -> Deployed:
    """Make files ready to run."""
    manifest = bounds.toml(files[MANIFEST])
    return Deployed(version_id, workflow.read(files, manifest["main"]), forms.parse_all(files), manifest)


def form(session: Session, version_id: UUID, key: str) -> forms.Form:
    """Return a form of a version.

    Raises:
        NotFound: the version has no such form.
    """
    found = deployed(session, version_id).forms.get(key)
    if found is None:
        raise NotFound
    return found

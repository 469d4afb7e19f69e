"""What is remembered: tables, one noun per module."""

from models.accountability import AccountabilityFile, Crossing
from models.attachment import Attachment, AttachmentPart
from models.base import Base, Instant, new_id
from models.case import FINAL_STATES, Case, CaseKind, CaseLink, CaseParty, CaseState, HoldReason, LinkKind
from models.deadline import Deadline, DeadlineKind, Warned
from models.incident import Incident, IncidentKind
from models.installation import CalendarDay, Counter, DayKind, Installation
from models.journal import JournalEntry, JournalHead
from models.message import Message
from models.notice import Hop, Notice, ReceiptMethod
from models.organisation import Level, Organisation, OrganisationKind
from models.packet import Packet, PacketReader
from models.person import ADMINISTRATORS, Appointment, Person, Realm, Role, Title
from models.procedure import (
    Procedure,
    ProcedureApproval,
    ProcedureDraft,
    ProcedureDraftChange,
    ProcedureDraftFile,
    ProcedureFile,
    ProcedureVersion,
)
from models.profile import Profile, ProfileVersion
from models.record import Audience, Record
from models.rectification import ItemState, RectificationItem
from models.sign_in import SignIn, Throttle
from models.subject import Source, Subject
from models.trial import Trial, TrialKind, TrialState
from models.version_change import VersionChange, VersionChangeScope
from models.work_item import OPEN_STATES, Draft, WorkItem, WorkItemState
from models.workflow import Subscription, WorkflowScope

__all__ = [
    "ADMINISTRATORS",
    "FINAL_STATES",
    "OPEN_STATES",
    "AccountabilityFile",
    "Appointment",
    "Attachment",
    "AttachmentPart",
    "Audience",
    "Base",
    "CalendarDay",
    "Case",
    "CaseKind",
    "CaseLink",
    "CaseParty",
    "CaseState",
    "Counter",
    "Crossing",
    "DayKind",
    "Deadline",
    "DeadlineKind",
    "Draft",
    "HoldReason",
    "Hop",
    "Incident",
    "IncidentKind",
    "Installation",
    "Instant",
    "ItemState",
    "JournalEntry",
    "JournalHead",
    "Level",
    "LinkKind",
    "Message",
    "Notice",
    "Organisation",
    "OrganisationKind",
    "Packet",
    "PacketReader",
    "Person",
    "Procedure",
    "ProcedureApproval",
    "ProcedureDraft",
    "ProcedureDraftChange",
    "ProcedureDraftFile",
    "ProcedureFile",
    "ProcedureVersion",
    "Profile",
    "ProfileVersion",
    "Realm",
    "ReceiptMethod",
    "Record",
    "RectificationItem",
    "Role",
    "SignIn",
    "Source",
    "Subject",
    "Subscription",
    "Throttle",
    "Title",
    "Trial",
    "TrialKind",
    "TrialState",
    "VersionChange",
    "VersionChangeScope",
    "Warned",
    "WorkItem",
    "WorkItemState",
    "WorkflowScope",
    "new_id",
]

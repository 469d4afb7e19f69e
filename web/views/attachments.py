"""Files of a case: fetched under neutral names, never shown inside a page."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, g
from flask.typing import ResponseReturnValue

from engine import attachments
from engine.permissions import Permission
from web.guards import requires

views = Blueprint("attachments", __name__, url_prefix="/attachments")


@views.get("/<uuid:attachment_id>")
@requires(Permission.WORK_ITEM_HAND_IN, Permission.CASE_READ, Permission.CASE_READ_ASSIGNED, journals=True)
def fetch(attachment_id: UUID) -> ResponseReturnValue:
    """Send a file, to be kept and not to be run."""
    attachment, parts = attachments.fetch(g.session, g.actor, attachment_id)
    return Response(
        parts,
        mimetype=attachment.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{attachments.name(attachment)}"',
            "Content-Length": str(attachment.size),
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )

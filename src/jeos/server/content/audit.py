"""The log of what moderators and administrators did: written in the same transaction, and never changed."""

from jeos.server.accounts.models import Member
from jeos.server.content.models import AuditEntry

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def record(
    actor: Member | None,
    action: str,
    *,
    kind: int = 0,
    number: int = 0,
    subject: Member | None = None,
    details: dict[str, Json] | None = None,
) -> AuditEntry:
    """Write down an action, as "thread.move", on a piece of content or about a member."""
    return AuditEntry.objects.create(
        actor=actor, action=action, kind=kind, number=number, subject=subject, details=details or {}
    )

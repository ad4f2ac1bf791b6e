"""Making accounts without the web: the first administrator, and the members of the example community."""

from allauth.account.models import EmailAddress
from django.db import transaction

from jeos.server.accounts.models import Member, Role, Trust


@transaction.atomic
def make_administrator(handle: str, email: str, *, passphrase: str) -> bool:
    """Make an administrator, or give a member with this handle those rights; return whether there was none.

    Raises ValidationError for a handle or an address that cannot be.
    """
    member = Member.objects.filter(handle=handle).first()
    made = member is None
    if member is None:
        member = Member.objects.create_user(handle, email, passphrase)
    else:
        member.set_password(passphrase)
    member.role, member.trust, member.is_active = Role.ADMINISTRATOR, Trust.LEADER, True
    member.save()
    confirm(member)
    return made


def confirm(member: Member) -> None:
    """Let a member's address count as confirmed."""
    EmailAddress.objects.update_or_create(user=member, email=member.email, defaults={"verified": True, "primary": True})

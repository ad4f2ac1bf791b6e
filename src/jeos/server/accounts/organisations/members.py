"""Whose account it is: members of the exchange by what a directory knows them by."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.functional import Promise

from jeos.server.accounts.models import NAME_LENGTH, Member
from jeos.server.accounts.organisations import answers
from jeos.server.accounts.organisations.directory import Person
from jeos.server.sign_in import Directory


class Refused(ValidationError):  # noqa: N818 - named for what happened; the form of signing in shows it
    """Somebody is who he says, and is not signed in all the same."""

    def __init__(self, reason: str | Promise, directory: Directory) -> None:
        super().__init__(str(reason).format(label=directory.label))


@transaction.atomic
def member_of(person: Person, directory: Directory) -> Member:
    """Return the member that a person of a directory is, made if there is none. Raises Refused."""
    if not directory.groups.admit(person.groups):
        raise Refused(answers.NOT_ALLOWED, directory)
    account = SocialAccount.objects.filter(provider=directory.name, uid=person.id).select_related("user").first()
    member = account.user if account else _by_address(person, directory) or _made(person, directory)
    assert isinstance(member, Member)
    if account is None:
        connect(member, person, directory)
    set_role(member, person, directory)
    return member


def set_role(member: Member, person: Person, directory: Directory) -> None:
    """Give and take the roles that a person's groups decide about."""
    role = directory.groups.role(person.groups, now=member.role)
    if role != member.role:
        member.role = role
        member.save(update_fields=["role"])


def connect(member: Member, person: Person, directory: Directory) -> None:
    """Let a member sign in as a person of a directory. Raises Refused if somebody else does already."""
    said = {"preferred_username": person.handle, "email": person.email, "name": person.name}
    account, made = SocialAccount.objects.get_or_create(
        provider=directory.name, uid=person.id, defaults={"user": member, "extra_data": said}
    )
    if not made and account.user_id != member.pk:
        raise Refused(answers.CONNECTED_OTHER, directory)


def managed_by(member: Member) -> str:
    """Return what the directory is called that alone says whether a member may sign in; empty if none does."""
    names = [directory.name for directory in settings.SIGN_IN.directories]
    if not names:
        return ""
    found = SocialAccount.objects.filter(user=member, provider__in=names).values_list("provider", flat=True).first()
    return settings.SIGN_IN.label(found) if found else ""


def _by_address(person: Person, directory: Directory) -> Member | None:
    """Return the member who has a person's address, if that is enough. Raises Refused if it is not."""
    email = person.email.lower()
    if not email or not (
        Member.objects.filter(email__iexact=email).exists() or EmailAddress.objects.filter(email__iexact=email).exists()
    ):
        return None
    confirmed = EmailAddress.objects.filter(email__iexact=email, verified=True).select_related("user").first()
    if confirmed is None or not (directory.link_by_address and directory.trust_addresses):
        raise Refused(answers.ADDRESS_KNOWN, directory)
    assert isinstance(confirmed.user, Member)
    return confirmed.user


def _made(person: Person, directory: Directory) -> Member:
    """Make a member of a person. Raises Refused if that is not wanted, or the directory has no address."""
    if not directory.sign_up:
        raise Refused(answers.NO_ACCOUNT, directory)
    email = person.email.lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Refused(answers.NO_ADDRESS, directory) from error
    handle = get_adapter().generate_unique_username([person.handle])
    member = Member.objects.create_user(handle, email, None, name=person.name[:NAME_LENGTH])
    EmailAddress.objects.create(user=member, email=email, verified=directory.trust_addresses, primary=True)
    return member

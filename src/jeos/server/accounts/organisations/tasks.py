"""What workers ask directories once an hour: whether members are still there, and in which groups."""

from __future__ import annotations

import logging

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.core.errors import NetworkError
from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member
from jeos.server.accounts.organisations import directory, members
from jeos.server.accounts.organisations.directory import Person
from jeos.server.jobs import schedule
from jeos.server.sign_in import Directory

LOG = logging.getLogger(__name__)
HOUR = 3_600
AT_ONCE = 50  # members that are asked about on one connection


def register() -> None:
    """Register the work that comes back."""
    if settings.SIGN_IN.directories:
        schedule.every("accounts.directories", enqueue=ask_directories.enqueue, seconds=HOUR)


@task()
def ask_directories() -> None:
    """Sign out whom a directory no longer has, end their tokens, and bring roles up to date."""
    for one in settings.SIGN_IN.directories:
        if one.bind_dn:
            try:
                _compare(one)
            except NetworkError as error:
                LOG.warning("%s: %s", one.name, error)


def _compare(one: Directory) -> None:
    """Compare members with a directory. Raises NetworkError; nothing of what was not answered has changed then.

    A directory in which nobody is found at all was moved or closed to us, rather than left by everybody.
    """
    accounts = list(SocialAccount.objects.filter(provider=one.name, user__is_active=True).select_related("user"))
    found: dict[str, Person] = {}
    for start in range(0, len(accounts), AT_ONCE):
        found |= directory.look_up(one, [account.uid for account in accounts[start : start + AT_ONCE]])
    if accounts and not found:
        LOG.warning("%s: none of %d members is found, so that nobody is signed out", one.name, len(accounts))
        return
    for account in accounts:
        assert isinstance(account.user, Member)
        person = found.get(account.uid)
        if person is None or not one.groups.admit(person.groups):
            _close(account.user, one)
        else:
            members.set_role(account.user, person, one)


@transaction.atomic
def _close(member: Member, one: Directory) -> None:
    """Sign a member out everywhere, and end the tokens."""
    leaving.end_sessions(member)
    now = timezone.now()
    ended = member.tokens.exclude(expires__lte=now).update(expires=now)
    LOG.warning("%s: %s is no longer there and is signed out; %d tokens ended", one.name, member.handle, ended)

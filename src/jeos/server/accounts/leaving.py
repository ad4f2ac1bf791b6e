"""Leaving: the person is deleted, what was written stays readable under a handle that names nobody."""

from __future__ import annotations

from collections.abc import Callable

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member, Pace, Role, Token

_also: list[Callable[[Member], None]] = []


def register(forget: Callable[[Member], None]) -> None:
    """Add what a section deletes of a member who leaves: drafts, bookmarks, what was followed."""
    _also.append(forget)


def end_sessions(member: Member) -> None:
    """Sign a member out, wherever the member is signed in."""
    sessions = UserSession.objects.filter(user=member)
    Session.objects.filter(session_key__in=list(sessions.values_list("session_key", flat=True))).delete()
    sessions.delete()


@transaction.atomic
def leave(member: Member) -> None:
    """Delete everything that says who a member was. It cannot be undone."""
    end_sessions(member)
    EmailAddress.objects.filter(user=member).delete()
    Authenticator.objects.filter(user=member).delete()
    SocialAccount.objects.filter(user=member).delete()
    Token.objects.filter(member=member).delete()
    for forget in _also:
        forget(member)
    member.handle = f"left-{member.pk}"
    member.email = None
    member.name = member.about = ""
    member.role, member.is_active, member.left_at = Role.MEMBER, False, timezone.now()
    member.mail_personal = member.mail_news = Pace.NEVER
    member.set_unusable_password()
    member.save()

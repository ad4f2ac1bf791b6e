"""Members, and the tokens with which their programs act for them."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import MinLengthValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

HANDLE_LENGTH = 30
LIST_LENGTH = 20_000  # characters of a list of what the site keeps out
NAME_LENGTH = 60
HANDLE = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?\Z",
    _("A handle is made of small letters, digits, - and _, and begins and ends with a letter or digit."),
)
HUES = 12  # colours of avatars; their classes are in the style sheet
TOKEN_BYTES = 32
CODE_BYTES = 15  # of randomness in an invitation: 20 characters
TOKEN_PREFIX = "jeos_"  # noqa: S105 - so that scanners of leaked secrets can tell what they found


def new_code() -> str:
    """Return a word for an invitation that nobody guesses."""
    return secrets.token_urlsafe(CODE_BYTES)


class Role(models.IntegerChoices):
    """What a member is for the site."""

    MEMBER = 0, _("member")
    MODERATOR = 1, _("moderator")
    ADMINISTRATOR = 2, _("administrator")


class Trust(models.IntegerChoices):
    """How well the site knows a member; opens features with use."""

    NEW = 0, _("new")
    BASIC = 1, _("basic")
    KNOWN = 2, _("known")
    REGULAR = 3, _("regular")
    LEADER = 4, _("leader")


class Pace(models.IntegerChoices):
    """When a member wants mail about something."""

    NEVER = 0, _("never")
    AT_ONCE = 1, _("at once")
    DAILY = 2, _("once a day")
    WEEKLY = 3, _("once a week")


class Entry(models.IntegerChoices):
    """Who may make an account."""

    OPEN = 0, _("everybody")
    INVITED = 1, _("who has an invitation")
    CLOSED = 2, _("nobody")


class Members(BaseUserManager["Member"]):
    """Makes members."""

    def create_user(self, handle: str, email: str, password: str | None = None, **fields: object) -> Member:
        """Make a member; without a password nobody can sign in as this member."""
        member = self.model(handle=handle, email=self.normalize_email(email), **fields)
        member.set_password(password)
        member.full_clean(exclude=["password"])
        member.save(using=self._db)
        return member


class Member(AbstractBaseUser):
    """Somebody with an account. Who left stays as a row without a person, so that threads remain readable."""

    handle = models.CharField(
        _("handle"), max_length=HANDLE_LENGTH, unique=True, validators=[MinLengthValidator(2), HANDLE]
    )
    email = models.EmailField(_("e-mail"), unique=True, null=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH, blank=True)
    about = models.TextField(_("about you"), max_length=2_000, blank=True)
    picture = models.CharField(max_length=64, default="", blank=True)  # the digest of a face; empty for the letter
    language = models.CharField(_("language"), max_length=8, default="", blank=True)
    time_zone = models.CharField(_("time zone"), max_length=40, default="UTC")
    role = models.SmallIntegerField(choices=Role.choices, default=Role.MEMBER)
    trust = models.SmallIntegerField(choices=Trust.choices, default=Trust.NEW)
    is_active = models.BooleanField(default=True)
    joined = models.DateTimeField(default=timezone.now)
    active_on = models.DateField(null=True, blank=True)  # the last day on which something was written
    days_active = models.PositiveIntegerField(default=0)
    threads = models.PositiveIntegerField(default=0)
    posts = models.PositiveIntegerField(default=0)
    thanks = models.PositiveIntegerField(default=0)  # reactions to what the member wrote
    unread = models.PositiveIntegerField(default=0)  # notifications not seen yet: a counter, since each page shows it
    silenced_until = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    mail_personal = models.SmallIntegerField(
        _("when somebody mentions, quotes or answers me"), choices=Pace.choices, default=Pace.AT_ONCE
    )
    mail_news = models.SmallIntegerField(
        _("when there is something new in what I follow"), choices=Pace.choices, default=Pace.AT_ONCE
    )
    mail_failures = models.PositiveSmallIntegerField(default=0)  # mails that came back for good since the last save

    objects: ClassVar[Members] = Members()

    USERNAME_FIELD = "handle"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        """Members are found by what their handles begin with (mentions while typing): the unique index does it."""

        indexes = (models.Index(fields=["picture"], condition=~models.Q(picture=""), name="accounts_member_picture"),)
        verbose_name = _("member")
        verbose_name_plural = _("members")

    def __str__(self) -> str:
        return self.handle

    def get_absolute_url(self) -> str:
        """Return the address of the member's page."""
        return reverse("accounts:member", args=[self.handle])

    @property
    def shown_name(self) -> str:
        """Return what the member is called on pages."""
        return self.name or self.handle

    @property
    def moderates(self) -> bool:
        """Tell whether the member may moderate."""
        return self.role >= Role.MODERATOR

    @property
    def administers(self) -> bool:
        """Tell whether the member may do everything."""
        return self.role >= Role.ADMINISTRATOR

    def silenced(self, *, now: datetime) -> bool:
        """Tell whether the member may not write at present."""
        return self.silenced_until is not None and self.silenced_until > now


class Token(models.Model):
    """A personal token: what a program presents instead of a password. Only its digest is kept."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("what it is for"), max_length=60)
    digest = models.CharField(max_length=64, unique=True)
    ending = models.CharField(max_length=4)  # shown, so that its owner can tell it from others
    writes = models.BooleanField(_("may write"), default=False)
    made = models.DateTimeField(default=timezone.now)
    used_on = models.DateField(null=True, blank=True)
    expires = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} (…{self.ending})"

    @classmethod
    def make(cls, member: Member, *, name: str, writes: bool, expires: datetime | None) -> tuple[Token, str]:
        """Make a token; return it and its text, which is shown once and kept nowhere."""
        text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        made = cls.objects.create(
            member=member, name=name, digest=token_digest(text), ending=text[-4:], writes=writes, expires=expires
        )
        return made, text

    @classmethod
    def find(cls, text: str, *, now: datetime) -> Token | None:
        """Return the token with this text, if there is one that holds."""
        found = cls.objects.select_related("member").filter(digest=token_digest(text), member__is_active=True).first()
        return found if found and (found.expires is None or found.expires > now) else None


class Site(models.Model):
    """What administrators decided for the whole site: one row, or none while nothing was decided."""

    name = models.CharField(max_length=60, blank=True)
    entry = models.SmallIntegerField(choices=Entry.choices, default=Entry.OPEN)
    review = models.BooleanField(default=False)  # what new members write waits for a moderator
    # What the site keeps out, one entry on each line:
    blocked = models.TextField(max_length=LIST_LENGTH, blank=True)  # domains of mail addresses and links
    networks = models.TextField(max_length=LIST_LENGTH, blank=True, default="")  # from which nobody joins or writes
    words = models.TextField(max_length=LIST_LENGTH, blank=True, default="")  # folded: with them a text waits

    def __str__(self) -> str:
        return self.name


class Invitation(models.Model):
    """A word that lets people make an account on a site that asks for invitations."""

    code = models.CharField(max_length=40, unique=True, default=new_code)
    note = models.CharField(_("for whom"), max_length=100, blank=True)
    made_by = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    left = models.PositiveIntegerField(default=1)  # how many accounts may still be made with it

    def __str__(self) -> str:
        return f"invitation {self.pk}"


def token_digest(text: str) -> str:
    """Return what is kept of a token. It is random, so that a plain hash is enough."""
    return hashlib.sha256(text.encode()).hexdigest()

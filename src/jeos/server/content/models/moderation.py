"""Flags, the cases that they make, and the log of what moderators did."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import reasons


class FlagReason(models.IntegerChoices):
    """Why somebody thinks that a moderator should look."""

    SPAM = 1, _("It is spam or advertising")
    RUDE = 2, _("It is rude or hurts somebody")
    OFF_TOPIC = 3, _("It does not belong here")
    UNSAFE = 4, _("It is dangerous advice or breaks the law")
    OTHER = 5, _("Something else")
    SYSTEM = 6, _("The site wants it looked at")


class Outcome(models.IntegerChoices):
    """How a case ended."""

    OPEN = 0, _("open")
    DISMISSED = 1, _("nothing wrong")
    HIDDEN = 2, _("hidden")
    WARNED = 3, _("hidden, author warned")
    SILENCED = 4, _("hidden, author silenced")
    UNDONE = 5, _("undone")


class Case(models.Model):
    """One thing that moderators are to decide, however many flagged it."""

    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    author = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    flags = models.PositiveIntegerField(default=0)
    outcome = models.SmallIntegerField(choices=Outcome.choices, default=Outcome.OPEN)
    opened = models.DateTimeField(default=timezone.now)
    decided = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        """The queue is the few open ones; a thing has one open case at most."""

        constraints = (
            models.UniqueConstraint(
                fields=["kind", "number"], condition=models.Q(outcome=0), name="content_case_one_open"
            ),
        )
        indexes = (
            models.Index(fields=["-flags", "opened"], condition=models.Q(outcome=0), name="content_case_queue"),
            models.Index(fields=["-decided"], name="content_case_decided"),
        )

    def __str__(self) -> str:
        return f"case {self.pk} about {self.kind}/{self.number}"


class Flag(models.Model):
    """One member's word that something is wrong."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="words")
    member = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.SmallIntegerField(choices=FlagReason.choices)
    note = models.CharField(max_length=500, blank=True)
    detail = models.CharField(max_length=100, blank=True, default="")  # of a note of the site's own, as a word
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """Once for each member and case."""

        constraints = (models.UniqueConstraint(fields=["case", "member"], name="content_flag_once"),)

    def __str__(self) -> str:
        return f"flag of {self.member_id} in {self.case_id}"

    @property
    def said(self) -> str:
        """Return the note as it is shown: what the site itself noted, in the reader's language."""
        return reasons.said(self.note, self.detail) if self.reason == FlagReason.SYSTEM and self.note else self.note


class AuditEntry(models.Model):
    """What somebody did with the powers of a moderator or administrator. Never changed, never deleted."""

    actor = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=60)  # as "thread.move"
    kind = models.SmallIntegerField(default=0)
    number = models.BigIntegerField(default=0)
    subject = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")  # whom it is about
    details = models.JSONField(default=dict)
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """Newest first; and the few changes of what is kept out, which are listed to be undone."""

        indexes = (
            models.Index(fields=["-date", "-id"], name="content_audit_newest"),
            models.Index(
                fields=["-date", "-id"], condition=models.Q(action="block.change"), name="content_audit_block"
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_id}"

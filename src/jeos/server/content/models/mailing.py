"""Digests that were written, and mail that came."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from jeos.server.accounts.models import Member, Pace


class Digest(models.Model):
    """A member was sent the digest of a period, or it was found that there is nothing to say: one row, once."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    pace = models.SmallIntegerField(choices=Pace.choices)
    period = models.DateField()  # the day on which it began, in the member's time
    made = models.DateTimeField(default=timezone.now)

    class Meta:
        """Of two workers that write the same digest, the second finds the row."""

        constraints = (models.UniqueConstraint(fields=["member", "pace", "period"], name="content_digest_key"),)
        indexes = (models.Index(fields=["made"], name="content_digest_made"),)

    def __str__(self) -> str:
        return f"digest of {self.period} for {self.member_id}"


class Outcome(models.IntegerChoices):
    """What became of a mail that came."""

    WAITING = 0
    POSTED = 1
    REFUSED = 2
    IGNORED = 3
    BOUNCE = 4


class Incoming(models.Model):
    """A mail that came: kept by what took it in, looked at by a worker, once, and then without its text."""

    digest = models.CharField(max_length=64, unique=True)  # of the Message-ID and the code that it is for
    message = models.BinaryField()
    made = models.DateTimeField(default=timezone.now)
    outcome = models.SmallIntegerField(choices=Outcome.choices, default=Outcome.WAITING)
    note = models.CharField(max_length=300, blank=True)
    member = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        """Forgotten after a while."""

        indexes = (models.Index(fields=["made"], name="content_incoming_made"),)

    def __str__(self) -> str:
        return f"mail {self.pk}: {self.get_outcome_display()}"

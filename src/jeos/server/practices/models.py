"""Practices, the reviews that make them proven, and their ratings.

A practice has four parts with a text each. Reviews are of a round: when the author changes what was reviewed, the next
round begins and nothing that was approved before counts any more. Counters stand on the row of a practice.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member

TITLE_LENGTH = 120
PARTS = ("problem", "context", "practice", "evidence")
HEADINGS = {
    "problem": _("Problem"),
    "context": _("Context"),
    "practice": _("Practice"),
    "evidence": _("Evidence"),
}


class State(models.IntegerChoices):
    """Where a practice is on its way."""

    DRAFT = 0, _("draft")
    REVIEW = 1, _("in review")
    PROVEN = 2, _("proven")
    EXPIRED = 3, _("to be renewed")


PUBLIC = (State.REVIEW, State.PROVEN, State.EXPIRED)
RATED = (State.PROVEN, State.EXPIRED)


class Practice(models.Model):
    """One practice."""

    title = models.CharField(max_length=TITLE_LENGTH)
    slug = models.CharField(max_length=TITLE_LENGTH)
    organisation = models.CharField(max_length=80, blank=True)
    holds_for = models.CharField(max_length=120, blank=True)  # versions, as its author says them
    problem = models.TextField()
    context = models.TextField()
    practice = models.TextField()
    evidence = models.TextField()
    html = models.JSONField(default=dict)  # part → HTML
    renderer = models.SmallIntegerField()
    months = models.PositiveSmallIntegerField(default=12)  # for which it holds before somebody must look at it again
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between, for lists; the rows are in content
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    edited = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    hidden = models.BooleanField(default=False)
    told = models.BooleanField(default=False)  # whom it concerns has been told that it is proven

    state = models.SmallIntegerField(choices=State.choices, default=State.DRAFT)
    round = models.PositiveIntegerField(default=1)
    submitted = models.DateTimeField(null=True, blank=True)
    proven = models.DateTimeField(null=True, blank=True)
    renewed = models.DateTimeField(null=True, blank=True)
    expires = models.DateTimeField(null=True, blank=True)
    approvals = models.PositiveIntegerField(default=0)  # of this round
    objections = models.PositiveIntegerField(default=0)

    ratings = models.PositiveIntegerField(default=0)
    stars = models.PositiveIntegerField(default=0)  # their sum
    score = models.PositiveIntegerField(default=0)  # see `rating.score`
    comments = models.PositiveIntegerField(default=0)

    class Meta:
        """Each list is one of these indexes, read from its end; so is what expires next."""

        indexes = (
            models.Index(
                fields=["-proven", "-id"],
                condition=models.Q(hidden=False, state__in=[2, 3]),
                name="practices_list_proven",
            ),
            models.Index(
                fields=["-score", "-id"], condition=models.Q(hidden=False, state__in=[2, 3]), name="practices_list_top"
            ),
            models.Index(
                fields=["-submitted", "-id"], condition=models.Q(hidden=False, state=1), name="practices_list_review"
            ),
            models.Index(fields=["author", "-id"], name="practices_list_author"),
            models.Index(fields=["expires"], condition=models.Q(state=2), name="practices_list_expires"),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the practice."""
        return f"/practices/{self.pk}/{self.slug}/"

    @property
    def average(self) -> float:
        """Return the mean of the ratings; 0 where there are none."""
        return self.stars / self.ratings if self.ratings else 0.0


class Verdict(models.IntegerChoices):
    """What a peer says of a practice."""

    APPROVE = 1, _("It holds: I would do it so")
    OBJECT = 2, _("It does not hold yet")


class Review(models.Model):
    """A peer's word on one round of a practice."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    round = models.PositiveIntegerField()
    reviewer = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    verdict = models.SmallIntegerField(choices=Verdict.choices)
    source = models.TextField()
    html = models.TextField()
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each peer and round."""

        constraints = (models.UniqueConstraint(fields=["practice", "round", "reviewer"], name="practices_review_key"),)

    def __str__(self) -> str:
        return f"{self.reviewer_id} on {self.practice_id}, round {self.round}: {self.verdict}"


class Rating(models.Model):
    """How much a practice helped a member, and why."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    stars = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=500)
    hidden = models.BooleanField(default=False)
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and practice; the newest of a practice are shown first."""

        constraints = (models.UniqueConstraint(fields=["practice", "member"], name="practices_rating_key"),)
        indexes = (models.Index(fields=["practice", "-date", "-id"], name="practices_rating_newest"),)

    def __str__(self) -> str:
        return f"{self.stars} of {self.member_id} for {self.practice_id}"


def slug_of(title: str) -> str:
    """Return the part of an address that says what it is about; with a hyphen, since words alone are taken."""
    slug = slugify(title)[:80].strip("-")
    return slug if "-" in slug else f"practice-{slug}".rstrip("-")

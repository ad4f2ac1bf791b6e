"""Ideas and votes.

Counters stand on the row of an idea, so that no list counts. `hidden` is true of merged ideas too, so that every list
has one condition; `closed` says the same as the status, for the indexes.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Text

TITLE_LENGTH = 120


class Status(models.IntegerChoices):
    """How an idea stands, as the team answered it."""

    OPEN = 0, _("open")
    PLANNED = 1, _("planned")
    STARTED = 2, _("started")
    DONE = 3, _("done")
    DECLINED = 4, _("declined")


CLOSED = (Status.DONE, Status.DECLINED)  # votes on these come back


class Idea(Text):
    """A suggestion, how many want it, and the team's answer."""

    KIND = kinds.IDEA

    title = models.CharField(max_length=TITLE_LENGTH)
    slug = models.CharField(max_length=TITLE_LENGTH)
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between, for lists; the rows are in content
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    edited = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    hidden = models.BooleanField(default=False)
    told = models.BooleanField(default=False)  # whom the idea concerns has been told
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    status = models.SmallIntegerField(choices=Status.choices, default=Status.OPEN)
    closed = models.BooleanField(default=False)
    answer = models.TextField(blank=True)
    answer_html = models.TextField(blank=True)
    answered = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(Member, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    answer_told = models.BooleanField(default=True)  # those who voted have been told of the answer

    votes = models.PositiveIntegerField(default=0)
    trend = models.BigIntegerField(default=0)  # see `voting.trend`
    comments = models.PositiveIntegerField(default=0)

    class Meta:
        """Each list is one of these indexes, read from its end."""

        indexes = (
            models.Index(
                fields=["-trend", "-id"], condition=models.Q(hidden=False, closed=False), name="ideas_idea_trending"
            ),
            models.Index(
                fields=["-votes", "-id"], condition=models.Q(hidden=False, closed=False), name="ideas_idea_top"
            ),
            models.Index(fields=["-made", "-id"], condition=models.Q(hidden=False), name="ideas_idea_new"),
            models.Index(
                fields=["status", "-votes", "-id"], condition=models.Q(hidden=False), name="ideas_idea_status"
            ),
            models.Index(fields=["author", "-id"], name="ideas_idea_author"),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the idea."""
        return f"/ideas/{self.pk}/{self.slug}/"


class Vote(models.Model):
    """A member's vote for an idea. It is `spent` while the idea is open; then it comes back and remains as a record."""

    idea = models.ForeignKey(Idea, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    spent = models.BooleanField(default=True)
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and idea; what a member has spent is few rows."""

        constraints = (models.UniqueConstraint(fields=["idea", "member"], name="ideas_vote_key"),)
        indexes = (
            models.Index(fields=["member"], condition=models.Q(spent=True), name="ideas_vote_spent"),
            models.Index(fields=["member", "-date", "-id"], name="ideas_vote_newest"),
        )

    def __str__(self) -> str:
        return f"{self.member_id} for {self.idea_id}"


def slug_of(title: str) -> str:
    """Return the part of an address that says what an idea is about; with a hyphen, since words alone are taken."""
    slug = slugify(title)[:80].strip("-")
    return slug if "-" in slug else f"idea-{slug}".rstrip("-")

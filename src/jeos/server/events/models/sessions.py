"""Sessions: submitted, reviewed, decided, confirmed, placed.

A session has two places: where organisers put it while they work (`room`, `begins`, `minutes`), and where the last
released schedule has it (`public_…`). `scheduled` says that the last one has it at all; `shown`, that any ever had:
what everybody has seen keeps its page.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Text
from jeos.server.events.models.events import NAME_LENGTH, Event, Room, SessionType, Track


class State(models.IntegerChoices):
    """How a session stands."""

    SUBMITTED = 0, _("submitted")
    ACCEPTED = 1, _("accepted")
    CONFIRMED = 2, _("confirmed")
    REJECTED = 3, _("rejected")
    WITHDRAWN = 4, _("withdrawn")


PLACEABLE = (State.ACCEPTED, State.CONFIRMED)
OPEN = (State.SUBMITTED, State.ACCEPTED, State.CONFIRMED)  # what its speakers can still withdraw


class Session(Text):
    """Something that happens at an event."""

    KIND = kinds.SESSION

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="sessions")
    title = models.CharField(max_length=NAME_LENGTH)
    slug = models.CharField(max_length=NAME_LENGTH)
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between, for lists; the rows are in content
    track = models.ForeignKey(Track, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    type = models.ForeignKey(SessionType, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    note = models.TextField(blank=True)  # from the speakers to those who organise and review
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    edited = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    hidden = models.BooleanField(default=False)
    comments = models.PositiveIntegerField(default=0)

    state = models.SmallIntegerField(choices=State.choices, default=State.SUBMITTED)
    decided = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(Member, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    decision_told = models.BooleanField(default=True)
    invited = models.BooleanField(default=False)  # put on the programme by organisers, without the call

    room = models.ForeignKey(Room, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    begins = models.DateTimeField(null=True, blank=True)
    minutes = models.PositiveSmallIntegerField(default=30)

    shown = models.BooleanField(default=False)
    shown_since = models.DateTimeField(null=True, blank=True)
    scheduled = models.BooleanField(default=False)
    public_room = models.ForeignKey(Room, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    public_begins = models.DateTimeField(null=True, blank=True)
    public_minutes = models.PositiveSmallIntegerField(default=30)
    sequence = models.PositiveIntegerField(default=0)  # RFC 5545, 3.8.7.4: goes up when calendars must look again
    changed = models.DateTimeField(default=timezone.now)  # what calendars know of it

    starred = models.PositiveIntegerField(default=0)
    ratings = models.PositiveIntegerField(default=0)
    points = models.PositiveIntegerField(default=0)  # the sum of the ratings

    class Meta:
        """The schedule, the list by title, the queue by state, and the newest for feeds."""

        indexes = (
            models.Index(
                fields=["event", "public_begins"],
                condition=models.Q(scheduled=True, hidden=False),
                name="events_session_schedule",
            ),
            models.Index(
                fields=["event", "title", "id"],
                condition=models.Q(shown=True, hidden=False),
                name="events_session_title",
            ),
            models.Index(
                fields=["event", "-shown_since", "-id"],
                condition=models.Q(shown=True, hidden=False),
                name="events_session_new",
            ),
            models.Index(fields=["event", "state", "-id"], name="events_session_state"),
            models.Index(fields=["author", "-id"], name="events_session_author"),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the session; its event's row must be there."""
        return f"/events/{self.event.slug}/sessions/{self.pk}/{self.slug}/"

    @property
    def cancelled(self) -> bool:
        """Tell whether it was on a schedule and will not be held."""
        return self.shown and (not self.scheduled or self.state not in PLACEABLE)

    @property
    def public_ends(self) -> datetime | None:
        """Return when it ends on the released schedule."""
        return self.public_begins + timedelta(minutes=self.public_minutes) if self.public_begins else None

    @property
    def average(self) -> float:
        """Return the mean of its ratings; 0 without any."""
        return self.points / self.ratings if self.ratings else 0.0


class Speaker(models.Model):
    """A member who speaks in a session. Whom others named has agreed, or nobody sees it."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="speakers")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    agreed = models.BooleanField(default=False)

    class Meta:
        """One for each member and session."""

        constraints = (models.UniqueConstraint(fields=["session", "member"], name="events_speaker_key"),)
        indexes = (models.Index(fields=["member", "-session"], name="events_speaker_member"),)

    def __str__(self) -> str:
        return f"{self.member_id} in {self.session_id}"


class Review(models.Model):
    """What a reviewer thinks of a submitted session: for organisers and reviewers, never for its speakers."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    score = models.PositiveSmallIntegerField()
    words = models.TextField(blank=True)
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each reviewer and session."""

        constraints = (models.UniqueConstraint(fields=["session", "reviewer"], name="events_review_key"),)

    def __str__(self) -> str:
        return f"{self.reviewer_id} on {self.session_id}: {self.score}"


def slug_of(title: str) -> str:
    """Return the part of an address that says what a session is about; with a hyphen, since words alone are taken."""
    slug = slugify(title)[:80].strip("-")
    return slug if "-" in slug else f"session-{slug}".rstrip("-")

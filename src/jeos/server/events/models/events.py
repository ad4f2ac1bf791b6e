"""Events, what they are made of, who works for them, and the versions of their schedules."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Text

NAME_LENGTH = 120
LONGEST = 31  # days of an event: a schedule is a page, and a page ends


class Event(Text):
    """A meeting: its days follow from its dates, in its own time zone. `source` is what its page says."""

    KIND = kinds.EVENT

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=NAME_LENGTH)
    line = models.CharField(max_length=200, blank=True)  # what it is, in lists
    place = models.CharField(max_length=NAME_LENGTH, blank=True)
    zone = models.CharField(max_length=40, default="UTC")
    begins = models.DateField()
    ends = models.DateField()
    published = models.BooleanField(default=False)
    hidden = models.BooleanField(default=False)  # by moderators
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)

    call_opens = models.DateTimeField(null=True, blank=True)
    call_closes = models.DateTimeField(null=True, blank=True)
    call_source = models.TextField(blank=True)
    call_html = models.TextField(blank=True)

    version = models.PositiveIntegerField(default=0)  # of the schedule that everybody sees; 0 before the first
    released = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Those to come from the front of one index, those that are over from its end."""

        indexes = (
            models.Index(fields=["ends", "id"], condition=models.Q(published=True, hidden=False), name="events_shown"),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the event."""
        return f"/events/{self.slug}/"

    @property
    def shown(self) -> bool:
        """Tell whether everybody may see it."""
        return self.published and not self.hidden

    @property
    def tz(self) -> zoneinfo.ZoneInfo:
        """Return the event's time zone; UTC for one that this machine does not know."""
        try:
            return zoneinfo.ZoneInfo(self.zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return zoneinfo.ZoneInfo("UTC")

    @property
    def days(self) -> list[date]:
        """Return the days of the event."""
        return [self.begins + timedelta(days=day) for day in range(min((self.ends - self.begins).days + 1, LONGEST))]

    def calls(self, *, now: datetime) -> bool:
        """Tell whether the call for sessions is open."""
        begun = self.call_opens is not None and self.call_opens <= now
        return self.shown and begun and (self.call_closes is None or now < self.call_closes)


class Part(models.Model):
    """Something that an event has some of, in an order."""

    name = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        """Part of other tables."""

        abstract = True

    def __str__(self) -> str:
        return self.name


class Track(Part):
    """What sessions are about, with one of the site's twelve hues."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="tracks")
    hue = models.PositiveSmallIntegerField(default=0)


class Room(Part):
    """Where sessions are."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="rooms")
    capacity = models.PositiveIntegerField(null=True, blank=True)  # people; None for as many as come


class SessionType(Part):
    """A kind of session (talk, workshop) and how long it takes."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="types")
    minutes = models.PositiveSmallIntegerField(default=30)


class Role(models.IntegerChoices):
    """What somebody does for an event."""

    ORGANISER = 1, _("organiser")
    REVIEWER = 2, _("reviewer")


class Duty(models.Model):
    """A member works for an event."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="duties")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    role = models.SmallIntegerField(choices=Role.choices)

    class Meta:
        """One of each role for a member and event."""

        constraints = (models.UniqueConstraint(fields=["event", "member", "role"], name="events_duty_key"),)

    def __str__(self) -> str:
        return f"{self.member_id}: {self.role} of {self.event_id}"


class Release(models.Model):
    """A version of the schedule that everybody saw."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="releases")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    date = models.DateTimeField(default=timezone.now)
    told = models.BooleanField(default=False)  # those whom it concerns have been told

    class Meta:
        """Numbered from 1 in each event."""

        constraints = (models.UniqueConstraint(fields=["event", "number"], name="events_release_key"),)

    def __str__(self) -> str:
        return f"{self.event_id} version {self.number}"


class Slot(models.Model):
    """Where and when a session was in a version of the schedule, as it was called then."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="slots")
    session = models.ForeignKey("events.Session", on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=NAME_LENGTH)
    room = models.CharField(max_length=60, blank=True)
    begins = models.DateTimeField()
    minutes = models.PositiveSmallIntegerField()

    class Meta:
        """Each session once in a version."""

        constraints = (models.UniqueConstraint(fields=["release", "session"], name="events_slot_key"),)

    def __str__(self) -> str:
        return f"{self.session_id} in {self.release_id}"

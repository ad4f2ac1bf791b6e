"""What attendees do: choose sessions, rate them, wish for topics."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.events.models.events import NAME_LENGTH, Event
from jeos.server.events.models.sessions import Session


class Star(models.Model):
    """A member wants to see a session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and session."""

        constraints = (models.UniqueConstraint(fields=["member", "session"], name="events_star_key"),)

    def __str__(self) -> str:
        return f"{self.member_id} wants {self.session_id}"


class AgendaAddress(models.Model):
    """What the secret address of a member's agenda is made from; without the site's key it opens nothing."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    salt = models.CharField(max_length=32)
    made = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and event."""

        constraints = (models.UniqueConstraint(fields=["event", "member"], name="events_agenda_key"),)

    def __str__(self) -> str:
        return f"agenda of {self.member_id} at {self.event_id}"


class Rating(models.Model):
    """What a member thought of a session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    stars = models.PositiveSmallIntegerField()
    words = models.CharField(max_length=500, blank=True)
    hidden = models.BooleanField(default=False)
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and session; newest first for each session."""

        constraints = (models.UniqueConstraint(fields=["session", "member"], name="events_rating_key"),)
        indexes = (models.Index(fields=["session", "-id"], name="events_rating_newest"),)

    def __str__(self) -> str:
        return f"{self.member_id} on {self.session_id}: {self.stars}"


class Topic(models.Model):
    """What a member would like to hear about at an event."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=NAME_LENGTH)
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    votes = models.PositiveIntegerField(default=0)
    hidden = models.BooleanField(default=False)

    class Meta:
        """Those that most want first."""

        indexes = (
            models.Index(
                fields=["event", "-votes", "-id"], condition=models.Q(hidden=False), name="events_topic_wanted"
            ),
            models.Index(fields=["author", "-id"], name="events_topic_author"),
        )

    def __str__(self) -> str:
        return self.title


class TopicVote(models.Model):
    """A member wants a topic."""

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and topic."""

        constraints = (models.UniqueConstraint(fields=["topic", "member"], name="events_topic_vote_key"),)

    def __str__(self) -> str:
        return f"{self.member_id} for {self.topic_id}"

"""What members follow and are told, what they keep, how they react."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member


class Level(models.IntegerChoices):
    """How much a member wants to hear of something."""

    MUTED = -1, _("muted")
    FOLLOWED = 1, _("followed")


class Following(models.Model):
    """A member follows or mutes content of any kind, or a tag or category (codes below zero, see `following.py`)."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+", db_index=False)  # its key's first
    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    level = models.SmallIntegerField(choices=Level.choices)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        """Read by member (what do I follow) and by content (who follows this)."""

        constraints = (models.UniqueConstraint(fields=["member", "kind", "number"], name="content_following_key"),)
        indexes = (models.Index(fields=["kind", "number", "level"], name="content_following_who"),)

    def __str__(self) -> str:
        return f"{self.member_id}: {self.kind}/{self.number} {self.level}"


class Reason(models.IntegerChoices):
    """Why a member is told something."""

    MENTION = 1, _("mentioned you")
    QUOTE = 2, _("quoted you")
    REPLY = 3, _("replied")
    REACTION = 4, _("thanked you")
    SOLVED = 5, _("chose your answer")
    NEW = 6, _("wrote something new")
    MODERATION = 7, _("a moderator decided")
    ANSWER = 8, _("answered an idea of yours, or one that you want")
    REVIEW = 9, _("reviewed your practice")
    RENEW = 10, _("asks you to renew what has expired")
    WEBHOOK = 12, _("has switched off a webhook that failed too often")
    INVITED = 20, _("named you as a speaker")
    DECIDED = 21, _("decided on your session")
    SCHEDULE = 22, _("changed the schedule")


class Notification(models.Model):
    """One thing that a member is told. Several of one kind about one thing are one row, until it is seen."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    reason = models.SmallIntegerField(choices=Reason.choices)
    kind = models.SmallIntegerField()
    number = models.BigIntegerField()  # of what it is about: the thread, not the post
    url = models.CharField(max_length=300)
    title = models.CharField(max_length=200)
    actor = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    others = models.BooleanField(default=False)  # besides the last to do it
    count = models.PositiveIntegerField(default=1)  # times that it happened, by whomever
    seen = models.BooleanField(default=False)
    mailed = models.BooleanField(default=False)
    digest = models.BooleanField(default=False)  # waits for the member's next digest
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """Newest first for each member; the unseen one about a thing is looked up with each new event."""

        indexes = (
            models.Index(fields=["member", "-date", "-id"], name="content_notification_new"),
            models.Index(
                fields=["mailed", "member"], condition=models.Q(mailed=False), name="content_notification_mail"
            ),
            models.Index(fields=["member"], condition=models.Q(digest=True), name="content_notification_digest"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["member", "kind", "number", "reason"],
                condition=models.Q(seen=False),
                name="content_notification_open",
            ),
        )

    def __str__(self) -> str:
        return f"{self.member_id}: {self.title}"


class Bookmark(models.Model):
    """Something that a member wants to find again."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="bookmarks")
    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    note = models.CharField(max_length=200, blank=True)
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """Newest first for each member."""

        constraints = (models.UniqueConstraint(fields=["member", "kind", "number"], name="content_bookmark_key"),)
        indexes = (models.Index(fields=["member", "-date", "-id"], name="content_bookmark_newest"),)

    def __str__(self) -> str:
        return f"{self.member_id}: {self.kind}/{self.number}"


class Reaction(models.Model):
    """A member's reaction to something. The counts stand on what is reacted to."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    sign = models.SmallIntegerField()  # see `reactions.SIGNS`
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One of each sign for a member and thing."""

        constraints = (
            models.UniqueConstraint(fields=["kind", "number", "member", "sign"], name="content_reaction_key"),
        )

    def __str__(self) -> str:
        return f"{self.member_id}: {self.sign} on {self.kind}/{self.number}"

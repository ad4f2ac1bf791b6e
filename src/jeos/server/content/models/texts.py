"""Texts of members: source, rendered HTML, revisions, drafts."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from jeos.server.accounts.models import Member


class Text(models.Model):
    """A text as its author wrote it, and as pages show it. The HTML is stored, because rendering costs more than
    all else in a page; the version of the renderer tells what must be rendered anew after a change."""

    source = models.TextField()
    html = models.TextField()
    renderer = models.SmallIntegerField()

    class Meta:
        """Part of other tables."""

        abstract = True


class Revision(models.Model):
    """One version of a text. The first is written when there is a second."""

    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200, blank=True)
    source = models.TextField()
    editor = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    made = models.DateTimeField(default=timezone.now)

    class Meta:
        """Found by what they are revisions of."""

        constraints = (models.UniqueConstraint(fields=["kind", "number", "version"], name="content_revision_key"),)

    def __str__(self) -> str:
        return f"{self.kind}/{self.number} version {self.version}"


class Draft(models.Model):
    """What a member has begun to write, kept on the server: one for each place (a thread, a category)."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="drafts")
    place = models.CharField(max_length=80)  # as "forum.reply.12"
    title = models.CharField(max_length=200, blank=True)
    source = models.TextField(blank=True)
    saved = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each place."""

        constraints = (models.UniqueConstraint(fields=["member", "place"], name="content_draft_key"),)

    def __str__(self) -> str:
        return f"draft of {self.member_id} for {self.place}"

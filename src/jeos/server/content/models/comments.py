"""Comments: short texts below content of any kind."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models.texts import Text


class Comment(Text):
    """A comment on a piece of content, which counts its comments on its own row."""

    KIND = kinds.COMMENT

    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    edited = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    hidden = models.BooleanField(default=False)
    told = models.BooleanField(default=False)  # whom it concerns has been told

    class Meta:
        """Read by what they are about, oldest first, and newest first by author."""

        indexes = (
            models.Index(fields=["kind", "number", "id"], name="content_comment_about"),
            models.Index(fields=["author", "-id"], name="content_comment_author"),
        )

    def __str__(self) -> str:
        return f"comment {self.pk} on {self.kind}/{self.number}"

    def get_absolute_url(self) -> str:
        """Return the lasting address of the comment, which leads to where it stands."""
        return reverse("content:comment", args=[self.pk])

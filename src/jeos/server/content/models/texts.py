"""Texts of members: source, rendered HTML, revisions, drafts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import ClassVar

from django.db import models
from django.db.models.base import ModelBase
from django.utils import timezone

from jeos.server import rows
from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models.attachments import Reference


class Text(models.Model):
    """A text as its author wrote it, and as pages show it. The HTML is stored, because rendering costs more than
    all else in a page; the version of the renderer tells what must be rendered anew after a change."""

    KIND: ClassVar[int] = 0  # the code of its kind of content; 0 is the one that its section named like the model

    source = models.TextField()
    html = models.TextField()
    renderer = models.SmallIntegerField()

    class Meta:
        """Part of other tables."""

        abstract = True

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save the row, and which files the text refers to."""
        fields = None if update_fields is None else list(update_fields)
        if force_insert is True and using is None:
            rows.insert(self)
        else:
            super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=fields)
        code = self.KIND or _code_of(type(self))
        if code and (fields is None or "source" in fields):
            Reference.note(code, self.pk, self.source)


@cache
def _code_of(model: type[Text]) -> int:
    """Return the code of the kind that a model's section named like it; 0 for none: files in it stay private."""
    kind = kinds.named(model.__name__.lower())
    if kind is None or kind.cards.__module__.split(".")[:3] != model.__module__.split(".")[:3]:
        return 0
    return kind.code


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

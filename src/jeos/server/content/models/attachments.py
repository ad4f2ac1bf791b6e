"""Files that members attach to what they write, and which texts refer to them."""

from __future__ import annotations

import base64
import re
import secrets
from urllib.parse import quote

from django.db import models
from django.utils import timezone

from jeos.server.accounts.models import Member

KEY_BYTES = 15  # of chance in a key: 24 letters and digits, which nobody guesses
PER_TEXT = 50  # files that one text may refer to
_REFERENCE = re.compile(r"(?:attachment:|/files/)([a-z2-7]{24})(?![a-z2-7])")


def new_key() -> str:
    """Return a key for a file: who has it has seen the file, or was given it by somebody who did."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode().lower()


def keys_in(source: str) -> list[str]:
    """Return the keys of the files that a text refers to, each once."""
    return list(dict.fromkeys(_REFERENCE.findall(source)))[:PER_TEXT]


class Attachment(models.Model):
    """An uploaded file: what it is called and is, and the digests under which `storage` has it."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    owner = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    media = models.CharField(max_length=80)  # the media type that it is sent with
    size = models.PositiveBigIntegerField()  # bytes
    digest = models.CharField(max_length=64)
    small = models.CharField(max_length=64, blank=True)  # of a small picture; empty for what is no picture
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    made = models.DateTimeField(default=timezone.now)

    class Meta:
        """Listed by owner; found by digest when a file is no longer wanted; the unused are looked for by age."""

        indexes = (
            models.Index(fields=["owner", "-id"], name="content_attachment_owner"),
            models.Index(fields=["digest"], name="content_attachment_digest"),
            models.Index(fields=["small"], condition=~models.Q(small=""), name="content_attachment_small"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def picture(self) -> bool:
        """Tell whether it is a picture, and so shown in a text."""
        return bool(self.small)

    @property
    def url(self) -> str:
        """Return the address of the file itself."""
        return f"/files/{self.key}/{quote(self.name, safe='')}"

    @property
    def markdown(self) -> str:
        """Return what a text says to show a picture, or to link to a file."""
        words = " ".join(re.sub(r"[\[\]\\`*_<>!|~]+", " ", self.name).split()) or "file"
        return f"{'!' if self.picture else ''}[{words}](attachment:{self.key})"


class Reference(models.Model):
    """A text refers to a file, or did in an earlier version: who may read it may have the file."""

    attachment = models.ForeignKey(Attachment, on_delete=models.CASCADE, related_name="references")
    kind = models.SmallIntegerField()
    number = models.BigIntegerField()

    class Meta:
        """Once for each text and file; found by either."""

        constraints = (models.UniqueConstraint(fields=["attachment", "kind", "number"], name="content_reference_key"),)
        indexes = (models.Index(fields=["kind", "number"], name="content_reference_text"),)

    def __str__(self) -> str:
        return f"{self.kind}/{self.number} refers to {self.attachment_id}"

    @staticmethod
    def note(kind: int, number: int, source: str) -> None:
        """Keep which files a text refers to; what an earlier version referred to stays, for who goes back to it."""
        keys = keys_in(source)
        if keys:
            found = Attachment.objects.filter(key__in=keys).values_list("pk", flat=True)
            rows = [Reference(attachment_id=attachment, kind=kind, number=number) for attachment in found]
            Reference.objects.bulk_create(rows, ignore_conflicts=True)

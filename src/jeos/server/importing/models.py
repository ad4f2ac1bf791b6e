"""Imports, the records that wait to become content, and which old number became which new one."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone


class Kind(models.IntegerChoices):
    """What a record is; they become content in this order."""

    PERSON = 1
    ROOM = 2
    TOPIC = 3
    MESSAGE = 4


class Import(models.Model):
    """One forum that came here. A site takes one of each program."""

    source = models.CharField(max_length=20, unique=True)
    made = models.DateTimeField(default=timezone.now)
    finished = models.DateTimeField(null=True, blank=True)
    passed_over = models.PositiveIntegerField(default=0)  # records that refer to what is not there

    def __str__(self) -> str:
        return self.source


class Staged(models.Model):
    """A record that waits; it is deleted in the transaction that makes content of it."""

    run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="+")
    kind = models.SmallIntegerField(choices=Kind.choices)
    topic = models.BigIntegerField(default=0)  # of messages, so that those of a thread come one after another
    place = models.BigIntegerField(default=0)
    number = models.BigIntegerField()
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()

    class Meta:
        """Read in the order in which they become content."""

        constraints = (models.UniqueConstraint(fields=["run", "kind", "number"], name="importing_staged_key"),)
        indexes = (models.Index(fields=["run", "kind", "topic", "place", "number"], name="importing_staged_order"),)

    def __str__(self) -> str:
        return f"{self.run_id}: {self.kind}/{self.number}"


class Old(models.Model):
    """What something was called there, and what it is here."""

    source = models.CharField(max_length=20)
    kind = models.SmallIntegerField(choices=Kind.choices)
    number = models.BigIntegerField()
    new = models.BigIntegerField()
    name = models.CharField(max_length=100, blank=True)  # of a person, as it stood in addresses
    topic = models.BigIntegerField(default=0)  # of a message
    place = models.BigIntegerField(default=0)

    class Meta:
        """Found by the old number, the old name, or the old place in a thread."""

        constraints = (models.UniqueConstraint(fields=["source", "kind", "number"], name="importing_old_key"),)
        indexes = (
            models.Index(fields=["source", "kind", "name"], name="importing_old_name"),
            models.Index(fields=["source", "topic", "place"], name="importing_old_place"),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.kind}/{self.number}"

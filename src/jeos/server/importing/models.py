"""Imports, the records that wait to become content, and which old number became which new one."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Kind(models.IntegerChoices):
    """What a record is; they become content in this order. Files do with the first post that refers to them, answers
    with their poll."""

    PERSON = 1
    ROOM = 2
    TOPIC = 3
    MESSAGE = 4
    FILE = 5
    FACE = 6
    POLL = 7
    BALLOT = 8
    REACTION = 9
    INTEREST = 10
    ANSWER = 11  # kept of a poll, so that ballots find them; no record of its own


RAW, READY = 0, 1  # what `topic` says of a file or a face


class State(models.TextChoices):
    """How an import stands."""

    READING = "reading", _("its dump is read")
    CHECKED = "checked", _("its dump was checked")
    UNREAD = "unread", _("its dump could not be read")
    LOADING = "loading", _("under way")
    FAILED = "failed", _("stopped")
    FINISHED = "finished", _("has come")


class Import(models.Model):
    """One forum that came here. A site takes one of each program."""

    source = models.CharField(max_length=20, unique=True)
    made = models.DateTimeField(default=timezone.now)
    wanted: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)  # by who started it on
    # the page: names in the folder of dumps, see `starting.py`
    reader = models.CharField(max_length=32, blank=True)  # who reads the dump; others that did must end
    checked = models.DateTimeField(null=True, blank=True)  # when its dump was read without bringing anything
    read = models.DateTimeField(null=True, blank=True)  # since when all records of its dump wait
    failed = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)  # why it failed
    finished = models.DateTimeField(null=True, blank=True)
    turn = models.PositiveIntegerField(default=0)  # of the task that goes on with it; others do nothing
    tries = models.PositiveSmallIntegerField(default=0)  # of this turn, that the database ended
    total = models.PositiveIntegerField(default=0)  # records that its dump had
    done = models.PositiveIntegerField(default=0)
    passed_over = models.PositiveIntegerField(default=0)  # records that refer to what is not there, or were refused
    stuck = models.BigIntegerField(null=True, blank=True)  # the staged record at which it failed
    notes: models.JSONField[list[str], list[str]] = models.JSONField(default=list)  # what was refused, and why
    report: models.JSONField[dict[str, dict[str, int]], dict[str, dict[str, int]]] = models.JSONField(
        default=dict
    )  # how many of each kind: see `reporting.py`

    def __str__(self) -> str:
        return self.source

    @property
    def state(self) -> State:
        """Tell how it stands."""
        if self.finished is not None:
            return State.FINISHED
        if self.read is None and self.checked is not None:
            return State.CHECKED
        if self.read is None:
            return State.READING if self.failed is None else State.UNREAD
        return State.LOADING if self.failed is None else State.FAILED


class Staged(models.Model):
    """A record that waits; it is deleted in the transaction that makes content of it."""

    run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="+")
    kind = models.SmallIntegerField(choices=Kind.choices)
    topic = models.BigIntegerField(
        default=0
    )  # of messages, so that those of a thread come one after another; of files, READY; else what it is about
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
    name = models.CharField(max_length=100, blank=True)  # of a person or a file, as it stood in addresses
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

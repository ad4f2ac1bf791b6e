"""Webhooks and what is sent to them.

A delivery is written in the transaction of what happened, with the text that will be sent: each attempt sends the same
bytes under the same identifier, by which a receiver knows what it has already.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member

SECRET_PREFIX = "whsec_"  # noqa: S105 - as Standard Webhooks writes symmetric secrets
SECRET_BYTES = 32  # of randomness: between 24 and 64, says Standard Webhooks
ADDRESS_LENGTH = 500


def new_secret() -> str:
    """Return a secret as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_message() -> str:
    """Return the identifier of a message."""
    return f"msg_{secrets.token_hex(16)}"


class Hook(models.Model):
    """An address that is told what happens, as far as its owner may read it."""

    owner = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=ADDRESS_LENGTH)
    secret = models.CharField(max_length=120, default=new_secret)  # in clear: signing needs it
    types: models.JSONField[list[str], list[str]] = models.JSONField(default=list)  # of `content.happenings.TYPES`
    active = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0)  # messages given up since the last that arrived
    stopped = models.DateTimeField(null=True, blank=True)  # when the site switched it off
    made = models.DateTimeField(default=timezone.now)

    class Meta:
        """Read by who owns them, and all active ones for each thing that happens: they are few."""

        indexes = (
            models.Index(fields=["owner", "id"], name="webhooks_hook_owner"),
            models.Index(fields=["id"], condition=models.Q(active=True), name="webhooks_hook_active"),
        )

    def __str__(self) -> str:
        return f"{self.owner_id}: {self.address}"


class State(models.IntegerChoices):
    """How a delivery stands."""

    WAITING = 0, _("waiting")
    ARRIVED = 1, _("arrived")
    FAILED = 2, _("given up")


class Delivery(models.Model):
    """One message for one address."""

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="+")
    message = models.CharField(max_length=40, unique=True, default=new_message)  # the same in each attempt
    type = models.CharField(max_length=40)
    payload = models.TextField()  # the bytes that are signed and sent, as text
    state = models.SmallIntegerField(choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    code = models.PositiveSmallIntegerField(null=True, blank=True)  # of the last answer
    error = models.CharField(max_length=300, blank=True)
    made = models.DateTimeField(default=timezone.now)
    last = models.DateTimeField(null=True, blank=True)  # when it was tried last
    following = models.DateTimeField(null=True, blank=True)  # when it is tried next

    class Meta:
        """The log of an address, newest first."""

        indexes = (models.Index(fields=["hook", "-id"], name="webhooks_delivery_log"),)

    def __str__(self) -> str:
        return f"{self.message} to {self.hook_id}"


Payload = dict[str, Any]

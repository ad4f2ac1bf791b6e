"""The browsers that members let the site notify."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from jeos.server.accounts.models import Member

ENDPOINT_LENGTH = 1_000


class Subscription(models.Model):
    """A browser: where its push service takes messages, and the keys that only it can read them with."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    endpoint = models.CharField(max_length=ENDPOINT_LENGTH)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the endpoint, since long texts make long indexes
    public_key = models.BinaryField()  # p256dh: an uncompressed point of P-256, 65 bytes
    secret = models.BinaryField()  # auth: 16 bytes
    name = models.CharField(max_length=60, blank=True)  # what its member calls it
    news = models.BooleanField(default=False)  # also what is new in what the member follows
    failures = models.PositiveSmallIntegerField(default=0)  # messages given up since the last that was taken
    made = models.DateTimeField(default=timezone.now)
    last = models.DateTimeField(null=True, blank=True)  # when a message was taken last

    class Meta:
        """Read by member."""

        indexes = (models.Index(fields=["member", "id"], name="push_subscription_member"),)

    def __str__(self) -> str:
        return f"browser {self.pk} of {self.member_id}"

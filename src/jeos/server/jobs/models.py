"""What background work keeps in the database besides its tasks: mail on its way, living workers, what is due when."""

from django.db import models
from django.utils import timezone


class Mail(models.Model):
    """One message on its way: written in the transaction that caused it, sent by a worker, marked when it went."""

    recipient = models.CharField(max_length=320)
    message = models.BinaryField()  # the whole message as it goes over the wire, Message-ID included
    made = models.DateTimeField(default=timezone.now)
    sent = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        """What is still to be sent is few rows among many."""

        indexes = (models.Index(fields=["made"], condition=models.Q(sent=None), name="jobs_mail_waiting"),)

    def __str__(self) -> str:
        return f"mail {self.pk} to {self.recipient}"


class Heartbeat(models.Model):
    """A worker process, and when it last said that it lives."""

    worker = models.CharField(max_length=64, primary_key=True)
    seen = models.DateTimeField()

    def __str__(self) -> str:
        return self.worker


class Due(models.Model):
    """Work that comes back: its name, and when it is due next. Whoever moves the time on does the work."""

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

"""How often somebody may still do something."""

from django.db import models


class Allowance(models.Model):
    """How often `who` did `action` in the span that began at `began` (seconds since 1970, a multiple of the span)."""

    who = models.CharField(max_length=60)  # as "member:12" or "address:192.0.2.7"
    action = models.CharField(max_length=40)
    began = models.BigIntegerField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        """Counted up by one statement on this key."""

        constraints = (models.UniqueConstraint(fields=["who", "action", "began"], name="content_allowance_key"),)

    def __str__(self) -> str:
        return f"{self.who} {self.action}: {self.used}"

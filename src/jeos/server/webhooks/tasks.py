"""What webhooks do after the answer: sending, and forgetting what was sent long ago."""

from django.utils import timezone
from django_tasks import task

from jeos.server.jobs import schedule
from jeos.server.webhooks import sending

DAY = 86_400  # seconds


@task()
def deliver(number: int) -> None:
    """Try a message once."""
    sending.deliver(number)


@task()
def prune() -> int:
    """Delete old messages."""
    return sending.prune(now=timezone.now())


def register() -> None:
    """Register the work that comes back."""
    schedule.every("webhooks.prune", enqueue=prune.enqueue, seconds=DAY)

"""What push does after the answer: sending."""

from django_tasks import task

from jeos.server.push import sending


@task()
def deliver(subscription: int, notification: int, attempt: int) -> None:
    """Try a message once."""
    sending.deliver(subscription, notification, attempt)

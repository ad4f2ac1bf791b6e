"""What imports do in the background."""

from django.db import transaction
from django_tasks import task

from jeos.server.importing import loading


@task()
@transaction.atomic
def advance(number: int) -> None:
    """Make content of the next records of an import, and put the following part into the queue with it."""
    if loading.advance(number):
        advance.enqueue(number)

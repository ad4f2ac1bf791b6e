"""What imports do in the background."""

from django.db import OperationalError, transaction
from django_tasks import task

from jeos.server.importing import loading, placing, standing


@task()
def advance(number: int, turn: int = 0) -> None:
    """Make content of the next records of an import, and put the following part into the queue with it.

    A turn is taken in the transaction that does its work: a task that is run twice finds it taken. What goes wrong is
    written down after that transaction was rolled back.
    """
    try:
        more_files = standing.has_turn(number, turn) and placing.prepare(number)
        with transaction.atomic():
            if standing.take_turn(number, turn) and (more_files or loading.advance(number)):
                advance.enqueue(number, turn + 1)
    except OperationalError as error:  # locks, a database that restarts: it is tried again by itself for a while
        pause = standing.try_later(number, turn, error)
        if pause is not None:
            advance.using(run_after=pause).enqueue(number, turn)
    except Exception as error:
        standing.fail(number, turn, error)

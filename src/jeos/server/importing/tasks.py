"""What imports do in the background."""

import logging

from django.db import OperationalError, transaction
from django_tasks import task

from jeos.core.errors import JeosError
from jeos.server.importing import loading, placing, standing, starting

_log = logging.getLogger(__name__)


@task(queue_name="steps")
def read(number: int, turn: int) -> None:
    """Read the dump of an import, or only check it. Who does it again begins anew; the import says what went wrong."""
    try:
        starting.read(number, turn)
    except JeosError as error:
        _log.warning("the dump of import %d was not read: %s", number, error)
    except Exception:
        _log.exception("the dump of import %d was not read", number)


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

"""How an import stands, and how one that failed goes on from where it stood."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jeos.core.errors import JeosError, UsageError
from jeos.server.importing import reporting
from jeos.server.importing.loading import Unloadable
from jeos.server.importing.models import Import, Staged, State
from jeos.server.importing.placing import NOTES, Unpreparable

_log = logging.getLogger(__name__)
TRIES = 6  # of a turn that the database ends
FIRST_PAUSE = 2  # seconds before the second; doubled with each
REASON = 500  # characters


def has_turn(number: int, turn: int) -> bool:
    """Tell whether it is somebody's turn to go on with an import."""
    return Import.objects.filter(pk=number, turn=turn, failed=None, finished=None).exists()


def take_turn(number: int, turn: int) -> bool:
    """Take a turn of an import; return False where it was taken, or the import has failed or is done."""
    waiting = Import.objects.filter(pk=number, turn=turn, failed=None, finished=None)
    return waiting.update(turn=turn + 1, tries=0) == 1


def try_later(number: int, turn: int, error: Exception) -> datetime | None:
    """Return when a turn that the database ended is tried again; fail after many tries."""
    run = Import.objects.filter(pk=number, turn=turn, failed=None, finished=None).first()
    if run is None:
        return None
    if run.tries + 1 >= TRIES:
        fail(number, turn, error)
        return None
    Import.objects.filter(pk=number, turn=turn).update(tries=F("tries") + 1)
    return timezone.now() + timedelta(seconds=FIRST_PAUSE << run.tries)


def fail(number: int, turn: int, error: Exception) -> None:
    """Write down that an import failed, and why, if it was this turn's to go on with it."""
    _log.error("import %d failed", number, exc_info=error)
    stuck = error.row if isinstance(error, Unloadable | Unpreparable) else None
    Import.objects.filter(pk=number, turn=turn, finished=None).update(
        failed=timezone.now(), error=reason(error)[:REASON], stuck=stuck
    )


def reason(error: BaseException) -> str:
    """Return in a line what went wrong."""
    if isinstance(error, Unloadable | Unpreparable) and error.__cause__ is not None:
        return f"{error}: {reason(error.__cause__)}"
    lines = str(error).strip().splitlines()
    if isinstance(error, JeosError):
        return lines[0] if lines else ""
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@transaction.atomic
def resume(source: str, *, without: bool = False) -> Import:
    """Go on with an import from where it stood, `without` the record at which it failed. Raises UsageError.

    Also one that is under way: what still goes on with it finds its turn gone.
    """
    from jeos.server.importing import tasks  # tasks import what they do

    run = Import.objects.select_for_update().filter(source=source).first()
    if run is None or run.state in (State.READING, State.CHECKED, State.UNREAD):
        raise UsageError(f"no dump of {source} was read", hint=f"jeos server import-from {source} FILE")
    if run.state is State.FINISHED:
        raise UsageError(f"the forum of {source} has come", hint="there is nothing to go on with")
    stuck = Staged.objects.filter(pk=run.stuck or 0).first() if without else None
    if stuck is not None:
        stuck.delete()
        run.passed_over += 1
        reporting.add(run.pk, "left", {reporting.name_of(stuck.kind): 1})
        run.refresh_from_db(fields=["report"])
        run.done += 1
        run.notes = [*run.notes, run.error][:NOTES]
    run.turn, run.failed, run.error, run.stuck, run.tries = run.turn + 1, None, "", None, 0
    run.save()
    tasks.advance.enqueue(run.pk, run.turn)
    return run


def told(source: str) -> str:
    """Return how an import stands, as a terminal shows it. Raises UsageError if there is none."""
    run = Import.objects.filter(source=source).first()
    if run is None:
        raise UsageError(f"no forum of {source} came here", hint=f"jeos server import-from {source} FILE")
    lines = [f"{source}: {run.state.value}, {run.done} of {run.total} records done, {run.passed_over} passed over"]
    lines += [f"  {line.label}: {line.came}, {line.left} passed over" for line in reporting.lines(run)]
    lines += [f"  no place here: {label}: {count}" for label, count in reporting.unplaced(run)]
    return "\n".join(lines + ([run.error] if run.error else []) + run.notes)

"""Work that comes back: registered by name, due in the database, put into the queue by whichever worker sees it first.

every("content.digest", work=send_digests, seconds=3600)
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jeos.server.jobs.models import Due


@dataclass(frozen=True)
class Repeated:
    """A piece of work, what puts it into the queue, and how often (seconds)."""

    name: str
    enqueue: Callable[[], object]
    seconds: int


_registered: dict[str, Repeated] = {}


def every(name: str, *, enqueue: Callable[[], object], seconds: int) -> None:
    """Register work that is to be done every so many seconds."""
    _registered[name] = Repeated(name=name, enqueue=enqueue, seconds=seconds)


def put_due(*, now: datetime) -> list[str]:
    """Put what is due into the queue and return the names. Of many workers that look, one does it."""
    done = []
    for work in _registered.values():
        due, _ = Due.objects.get_or_create(name=work.name, defaults={"at": now})
        if due.at > now:
            continue
        following = now + timedelta(seconds=work.seconds)
        if Due.objects.filter(name=work.name, at=due.at).update(at=following):  # nobody else moved it on
            work.enqueue()
            done.append(work.name)
    return done

"""What is wrong with a schedule: decided from values alone.

    find([Placed(...), ...], first=date(2026, 5, 1), last=date(2026, 5, 2), zone=zone, capacities={1: 80})

A session that ends when another begins does not clash with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from enum import Enum

from jeos.server.events.placed import Placed


class Kind(Enum):
    """What is wrong."""

    ROOM = "room"  # two sessions in one room at once
    SPEAKER = "speaker"  # somebody speaks twice at once
    OUTSIDE = "outside"  # before the first day or after the last
    FULL = "full"  # more want to see it than the room holds


@dataclass(frozen=True)
class Clash:
    """One thing that is wrong: with a session, or between two; `about` is the room or the speaker."""

    kind: Kind
    first: Placed
    second: Placed | None = None
    about: int | None = None


def overlapping(placed: Iterable[Placed]) -> list[tuple[Placed, Placed]]:
    """Return the pairs of sessions that are at the same time, by time."""
    running: list[Placed] = []
    pairs: list[tuple[Placed, Placed]] = []
    for session in sorted(placed, key=lambda one: (one.begins, one.number)):
        running = [one for one in running if one.ends > session.begins]
        pairs += [(one, session) for one in running if session.ends > session.begins]
        running.append(session)
    return pairs


def find(
    placed: Sequence[Placed], *, first: date, last: date, zone: tzinfo, capacities: Mapping[int, int]
) -> list[Clash]:
    """Return all that is wrong with a schedule, by time within each kind. Capacities are people by room."""
    in_room: dict[int, list[Placed]] = defaultdict(list)
    of_speaker: dict[int, list[Placed]] = defaultdict(list)
    for session in placed:
        if session.room is not None:
            in_room[session.room].append(session)
        for speaker in session.speakers:
            of_speaker[speaker].append(session)
    found = [
        Clash(kind, one, other, about)
        for kind, groups in ((Kind.ROOM, in_room), (Kind.SPEAKER, of_speaker))
        for about, sessions in sorted(groups.items())
        for one, other in overlapping(sessions)
    ]
    ordered = sorted(placed, key=lambda one: (one.begins, one.number))
    found += [Clash(Kind.OUTSIDE, one) for one in ordered if _outside(one, first=first, last=last, zone=zone)]
    found += [
        Clash(Kind.FULL, one, about=one.room)
        for one in ordered
        if one.room is not None and one.wanted > capacities.get(one.room, one.wanted)
    ]
    return found


def _outside(session: Placed, *, first: date, last: date, zone: tzinfo) -> bool:
    """Tell whether a session is not within the days; one that ends at midnight is."""
    begins = session.begins.astimezone(zone).date()
    ends = (session.ends - timedelta(microseconds=1)).astimezone(zone).date()
    return begins < first or ends > last

"""Calendars as RFC 5545 has them: what programs for calendars subscribe to.

    calendar([Entry(uid="session-1@exchange.example", ...)], name="Appliance Days", url="https://…")

Times are in UTC (3.3.5, form 2), which every program shows in its reader's zone; so there is no `VTIMEZONE` to get
wrong. Lines end with CR LF and are folded after at most 75 octets, never within a character (3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LINE = 75  # octets of a line, without its end (3.1)
PRODUCT = "-//jeos//events//EN"
REFRESH = "PT1H"  # how often who subscribes should look again (RFC 7986, 5.7)

# Control characters other than the tab are in no text (3.1, CONTROL); what ends a line is written as \n (3.3.11).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


@dataclass(frozen=True)
class Entry:
    """One event of a calendar. `uid` never changes; `sequence` goes up when time, place or title do."""

    uid: str
    sequence: int
    changed: datetime
    begins: datetime
    ends: datetime
    title: str
    text: str = ""
    place: str = ""
    url: str = ""
    categories: Sequence[str] = ()
    cancelled: bool = False


def escape(value: str) -> str:
    """Return a text as a property's value (3.3.11)."""
    plain = value.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", plain).translate(_ESCAPED)


def fold(line: str) -> str:
    """Return a content line in pieces of at most 75 octets, each but the first begun by a space (3.1)."""
    pieces: list[str] = []
    piece, size = "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > LINE:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + character, size + octets
    return "\r\n".join([*pieces, piece])


def moment(when: datetime) -> str:
    """Return a moment in UTC, as 20260501T090000Z."""
    return f"{when.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def calendar(entries: Iterable[Entry], *, name: str, url: str) -> bytes:
    """Return a calendar that is published (RFC 5546, 3.2.1), as the bytes of a `text/calendar` document."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{escape(name)}",
        f"X-WR-CALNAME:{escape(name)}",  # what most programs read, though no standard has it
        f"URL:{url}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        *(line for entry in entries for line in _event(entry)),
        "END:VCALENDAR",
    ]
    return "".join(f"{fold(line)}\r\n" for line in lines).encode()


def _event(entry: Entry) -> list[str]:
    """Return the lines of one event (3.6.1)."""
    lines = [
        "BEGIN:VEVENT",
        f"UID:{entry.uid}",
        f"DTSTAMP:{moment(entry.changed)}",
        f"LAST-MODIFIED:{moment(entry.changed)}",
        f"SEQUENCE:{entry.sequence}",
        f"DTSTART:{moment(entry.begins)}",
        f"DTEND:{moment(entry.ends)}",
        f"SUMMARY:{escape(entry.title)}",
        f"STATUS:{'CANCELLED' if entry.cancelled else 'CONFIRMED'}",
    ]
    for label, value in (("DESCRIPTION", entry.text), ("LOCATION", entry.place)):
        lines += [f"{label}:{escape(value)}"] if value else []
    if entry.categories:
        lines.append("CATEGORIES:" + ",".join(escape(category) for category in entry.categories))
    lines += [f"URL:{entry.url}"] if entry.url else []
    return [*lines, "END:VEVENT"]

"""Calendars as an independent reader of RFC 5545 sees them: the `icalendar` package, of which only this file knows."""

import importlib
from dataclasses import dataclass
from datetime import datetime

_reader = importlib.import_module("icalendar")


@dataclass(frozen=True)
class Seen:
    """One event of a calendar."""

    uid: str
    sequence: int
    stamp: datetime
    begins: datetime
    ends: datetime
    title: str
    text: str
    place: str
    url: str
    categories: tuple[str, ...]
    status: str


@dataclass(frozen=True)
class SeenCalendar:
    """A calendar: its name, how it is meant, and its events in their order."""

    name: str
    version: str
    method: str
    events: tuple[Seen, ...]


def read(text: bytes) -> SeenCalendar:
    """Return what the reader makes of a calendar. Raises ValueError for what it cannot read."""
    found = _reader.Calendar.from_ical(text)
    events = found.walk("VEVENT")
    wrong = [error for event in events for error in event.errors]
    if wrong:
        raise ValueError(f"the reader complains: {wrong}")
    return SeenCalendar(
        name=str(found["X-WR-CALNAME"]),
        version=str(found["VERSION"]),
        method=str(found["METHOD"]),
        events=tuple(_seen(event) for event in events),
    )


def _seen(event: "dict[str, object]") -> Seen:
    categories = getattr(event.get("CATEGORIES"), "cats", ())
    times = {name: event.decoded(name) for name in ("DTSTAMP", "DTSTART", "DTEND")}  # type: ignore[attr-defined]
    return Seen(
        uid=str(event["UID"]),
        sequence=int(str(event["SEQUENCE"])),
        stamp=times["DTSTAMP"],
        begins=times["DTSTART"],
        ends=times["DTEND"],
        title=str(event["SUMMARY"]),
        text=str(event.get("DESCRIPTION", "")),
        place=str(event.get("LOCATION", "")),
        url=str(event["URL"]),
        categories=tuple(str(category) for category in categories),
        status=str(event["STATUS"]),
    )

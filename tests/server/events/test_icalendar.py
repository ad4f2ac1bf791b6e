"""Calendars, read by an independent reader of RFC 5545: the `icalendar` package."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from calendar_reader import Seen, read
from jeos.server.events import icalendar
from jeos.server.events.icalendar import Entry

NINE = datetime(2026, 5, 9, 9, tzinfo=UTC)
# Control characters are in no text of a calendar; NUL and surrogates no form lets through.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(list('\n\t,;:\\"äß🙂')), max_size=200)


def entry(**change: object) -> Entry:
    made: dict[str, object] = {
        "uid": "session-1@exchange.example",
        "sequence": 2,
        "changed": NINE,
        "begins": NINE,
        "ends": NINE + timedelta(minutes=45),
        "title": "Disks; lies, and \\ backslashes",
        "text": "first line\nsecond line",
        "place": "Pump hall, Old Waterworks",
        "url": "https://exchange.example/events/days/sessions/1/disks-lies/",
        "categories": ["Building, mostly", "b"],
    }
    return Entry(**made | change)  # type: ignore[arg-type]


def written(*entries: Entry, name: str = "Appliance Days") -> bytes:
    return icalendar.calendar(entries, name=name, url="https://exchange.example/events/days/")


def test_reader_finds_what_was_written() -> None:
    found = read(written(entry()))
    assert (found.version, found.method, found.name) == ("2.0", "PUBLISH", "Appliance Days")
    assert found.events == (
        Seen(
            uid="session-1@exchange.example",
            sequence=2,
            stamp=NINE,
            begins=NINE,
            ends=NINE + timedelta(minutes=45),
            title="Disks; lies, and \\ backslashes",
            text="first line\nsecond line",
            place="Pump hall, Old Waterworks",
            url="https://exchange.example/events/days/sessions/1/disks-lies/",
            categories=("Building, mostly", "b"),
            status="CONFIRMED",
        ),
    )


def test_session_that_is_not_held_is_cancelled() -> None:
    assert [event.status for event in read(written(entry(cancelled=True))).events] == ["CANCELLED"]


@given(TEXTS, TEXTS, TEXTS, st.lists(TEXTS.filter(lambda text: text != ""), max_size=3))
def test_any_texts_read_back(title: str, text: str, place: str, categories: list[str]) -> None:
    (event,) = read(written(entry(title=title, text=text, place=place, categories=categories))).events
    assert (event.title, event.text, event.place, event.categories) == (title, text, place, tuple(categories))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_lines_are_folded_within_75_octets_and_never_within_a_character(text: str) -> None:
    made = written(entry(title=text, text=text), name=text)
    lines = made.split(b"\r\n")
    assert lines[-1] == b""
    for line in lines[:-1]:
        assert len(line) <= 75
        line.decode()  # each line by itself is whole characters
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line)
    read(made)


def test_line_is_folded_at_75_octets_exactly() -> None:
    assert icalendar.fold("x" * 75) == "x" * 75
    assert icalendar.fold("x" * 76) == "x" * 75 + "\r\n x"
    assert icalendar.fold("ä" * 38) == "ä" * 37 + "\r\n ä"


def test_time_in_any_zone_is_written_in_utc() -> None:
    berlin = datetime.fromisoformat("2026-05-09T11:00:00+02:00")
    assert icalendar.moment(berlin) == "20260509T090000Z"

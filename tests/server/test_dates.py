"""Times and numbers as pages show them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from jeos.server import dates
from jeos.server.dates import Teller

NOW = datetime(2026, 9, 2, 22, 30, tzinfo=UTC)


def teller(language: str = "en", zone: str = "UTC") -> Teller:
    with translation.override(language):
        return Teller(language=language, zone=ZoneInfo(zone), now=NOW)


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=5), "now"),
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47), "1 d"),
        (timedelta(days=29), "29 d"),
        (timedelta(days=30), "3 Aug 2026"),
    ],
)
def test_age_is_one_short_word(ago: timedelta, shown: str) -> None:
    assert teller().age(NOW - ago) == shown


@pytest.mark.parametrize(
    ("language", "zone", "shown"),
    [
        ("en", "UTC", "2 Sep 2026 22:30"),
        ("en", "Europe/Paris", "3 Sep 2026 00:30"),
        ("de", "America/New_York", "2. Sept. 2026 18:30"),
        ("fr", "UTC", "2 sept. 2026 22:30"),
    ],
)
def test_moment_is_in_the_readers_time_and_language(language: str, zone: str, shown: str) -> None:
    assert teller(language, zone).moment(NOW) == shown


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_months_are_told_apart(language: str) -> None:
    with translation.override(language):
        said = [teller(language).date(datetime(2026, month, 1, 12, tzinfo=UTC)) for month in range(1, 13)]
    assert len(set(said)) == 12


def test_time_is_told_to_people_and_programs() -> None:
    made = teller().ago(NOW - timedelta(hours=3))
    assert made == '<time datetime="2026-09-02T19:30:00Z" title="2 Sep 2026 19:30">3 h</time>'


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (999, "999"), (12_345, "12\u202f345"), (3_000_000, "3\u202f000\u202f000")]
)
def test_number_has_its_thousands_apart(value: int, shown: str) -> None:
    assert dates.number(value) == shown

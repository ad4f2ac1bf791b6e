"""Times of an event as pages show them: in its own zone, whoever reads, since that is what its clocks show."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo

from django.utils import dates as names
from django.utils import translation
from django.utils.translation import gettext as _

from jeos.server.dates import Teller

DASH = "\u2013"


def clock(when: datetime, zone: tzinfo) -> str:
    """Return the time of day, as 09:30."""
    return f"{when.astimezone(zone):%H:%M}"


def moment(when: datetime, zone: tzinfo) -> str:
    """Return a day and the minute, as Sat 9 May 2026 14:03."""
    local = when.astimezone(zone)
    return f"{day(local.date())} {local:%H:%M}"


def day(when: date) -> str:
    """Return a day with its name, as Sat 9 May 2026."""
    teller = Teller(language=translation.get_language() or "en", zone=UTC, now=datetime.now(UTC))
    weekday = str(names.WEEKDAYS_ABBR[when.weekday()])
    return f"{weekday} {teller.date(datetime.combine(when, time(), UTC))}"


def days(first: date, last: date) -> str:
    """Return the days of an event: the first with its name, and the last if it is another."""
    return day(first) if first == last else f"{day(first)} {DASH} {day(last)}"


def length(minutes: int) -> str:
    """Return how long something takes, as 45 min or 1 h 30 min."""
    hours, rest = divmod(minutes, 60)
    words = [_("{n} h").format(n=hours)] if hours else []
    words += [_("{n} min").format(n=rest)] if rest or not hours else []
    return " ".join(words)


def offset(when: datetime, zone: tzinfo) -> str:
    """Return how a zone's time differs from UTC at a moment, as UTC+02:00."""
    text = f"{when.astimezone(zone):%z}"
    return f"UTC{text[:3]}:{text[3:]}"

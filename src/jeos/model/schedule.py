"""How often, when and how fast updates may come: periods ("6h"), maintenance windows and rates ("500K"), as texts.

    seconds("6h") == 21600
    Windows.parse("Mon-Fri 22:00-04:00; Sun 02:00-05:00").wait(minute_of_week(time.localtime())) == 0    # it is open

The recipe, the operator's overrides and the guest read them alike, so that all of it is here, with no I/O.
"""

import re
import time
from dataclasses import dataclass

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = 24 * 60  # minutes
WEEK = 7 * DAY  # minutes
PERIOD_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RATE_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

PERIOD_PATTERN = r"(?:0|[1-9][0-9]{0,5})[smhd]"
RATE_PATTERN = r"(?:[1-9][0-9]{0,6}[KMG])?"
_DAY = f"(?:{'|'.join(DAYS)})"
_DAY_LIST = f"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_WINDOW = f"(?:{_DAY_LIST} )?{_TIME}-(?:{_TIME}|24:00)"
WINDOWS_PATTERN = f"(?:{_WINDOW}(?:; ?{_WINDOW})*)?"


def seconds(text: str) -> int:
    """Return the seconds of a period such as "90s", "10m", "6h" or "7d". Raises ValueError for another text."""
    if not re.fullmatch(PERIOD_PATTERN, text):
        raise ValueError(f'{text!r} is not a period such as "90s", "10m", "6h" or "7d"')
    return int(text[:-1]) * PERIOD_UNITS[text[-1]]


def rate(text: str) -> int:
    """Return the bytes per second of a rate such as "500K" or "2M"; 0, no limit, of "". Raises ValueError."""
    if not re.fullmatch(RATE_PATTERN, text):
        raise ValueError(f'{text!r} is not a rate such as "500K" or "2M" (bytes a second)')
    return int(text[:-1]) * RATE_UNITS[text[-1]] if text else 0


def in_words(period: float) -> str:
    """Return seconds as a person says them: "40 s", "12 min", "6 h", "3 days"."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if period < limit:
            return f"{period / size:.0f} {unit}"
    return f"{period / 86400:.0f} days"


@dataclass(frozen=True, slots=True)
class Windows:
    """The parts of the week in which a machine may restart; without any, always. Times are the machine's local ones.

    Each of the `spans` is the first minute of the week and how many minutes it is open.
    """

    spans: tuple[tuple[int, int], ...] = ()
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> "Windows":
        """Read windows such as "Sun 02:00-05:00; Mon-Fri 22:00-04:00"; one without days is open every day.

        Raises ValueError for another text, and for a window that is never open.
        """
        if not re.fullmatch(WINDOWS_PATTERN, text):
            raise ValueError(f'{text!r} is not a window such as "Sun 02:00-05:00"')
        spans: list[tuple[int, int]] = []
        for part in filter(None, re.split("; ?", text)):
            days, _, times = part.rpartition(" ")
            start, end = (_minutes(moment) for moment in times.split("-"))
            if start == end:
                raise ValueError("a window begins and ends at the same time")
            spans += [(day * DAY + start, (end - start) % DAY or DAY) for day in _days(days)]
        return cls(tuple(spans), text)

    def wait(self, minute: int) -> int:
        """Return the minutes from a minute of the week until a window is open; 0 while one is."""
        if not self.spans or any((minute - start) % WEEK < length for start, length in self.spans):
            return 0
        return min((start - minute) % WEEK for start, _ in self.spans)


ALWAYS = Windows()


def minute_of_week(now: time.struct_time) -> int:
    """Return the minute of the week, from Monday 00:00."""
    return now.tm_wday * DAY + now.tm_hour * 60 + now.tm_min


def minute_in_words(minute: int) -> str:
    """Return a minute of the week as "Sun 02:00"."""
    day, rest = divmod(minute % WEEK, DAY)
    return f"{DAYS[day]} {rest // 60:02}:{rest % 60:02}"


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _days(text: str) -> list[int]:
    """Return the numbers of the days that "Mon-Wed,Sun" names; all of them for ""."""
    found = []
    for part in (text or "Mon-Sun").split(","):
        first, _, last = part.partition("-")
        day, end = DAYS.index(first), DAYS.index(last or first)
        found += [(day + step) % 7 for step in range((end - day) % 7 + 1)]
    return sorted(set(found))

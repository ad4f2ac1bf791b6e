import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.model import schedule
from jeos.model.schedule import DAY, WEEK, Windows


@pytest.mark.parametrize(("text", "wanted"), [("0s", 0), ("90s", 90), ("10m", 600), ("6h", 21600), ("7d", 604800)])
def test_period_is_read_in_seconds(text: str, wanted: int) -> None:
    assert schedule.seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "5", "-1s", "01s", "1 h", "1w", "1.5h", "9999999d"])
def test_period_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a period"):
        schedule.seconds(text)


@pytest.mark.parametrize(("text", "wanted"), [("", 0), ("500K", 512000), ("2M", 2 << 20), ("1G", 1 << 30)])
def test_rate_is_read_in_bytes(text: str, wanted: int) -> None:
    assert schedule.rate(text) == wanted


@pytest.mark.parametrize("text", ["0K", "5", "5k", "1T", "fast"])
def test_rate_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        schedule.rate(text)


def test_periods_are_said_as_people_say_them() -> None:
    said = [schedule.in_words(period) for period in (0, 40, 119, 600, 7199, 7200, 100000, 172800, 1e6)]
    assert said == ["0 s", "40 s", "119 s", "10 min", "120 min", "2 h", "28 h", "2 days", "12 days"]


SUNDAY = 6 * DAY


@pytest.mark.parametrize(
    ("text", "minute", "wait"),
    [
        ("", 0, 0),
        ("Sun 02:00-05:00", SUNDAY + 120, 0),
        ("Sun 02:00-05:00", SUNDAY + 299, 0),
        ("Sun 02:00-05:00", SUNDAY + 300, WEEK - 180),
        ("Sun 02:00-05:00", SUNDAY + 119, 1),
        ("02:00-03:00", 3 * DAY + 180, 23 * 60),
        ("22:00-04:00", 60, 0),
        ("Sun 22:00-04:00", 60, 0),  # Monday, one o'clock
        ("Mon 22:00-04:00", 60, 21 * 60),
        ("Sat,Mon-Tue 00:00-24:00", DAY, 0),
        ("Sat,Mon-Tue 00:00-24:00", 2 * DAY, 3 * DAY),
        ("Sat-Mon 01:00-02:00", SUNDAY + 60, 0),
        ("Mon 01:00-02:00; Tue 01:00-02:00", 130, DAY + 60 - 130),
    ],
)
def test_window_is_open_or_to_be_waited_for(text: str, minute: int, wait: int) -> None:
    assert Windows.parse(text).wait(minute) == wait


@pytest.mark.parametrize("text", ["Sun", "Sunday 02:00-05:00", "Sun 2-5", "25:00-26:00", "02:00-02:00", "Sun-02:00"])
def test_window_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="window"):
        Windows.parse(text)


windows = st.lists(
    st.builds(
        "{} {:02}:{:02}-{:02}:{:02}".format,
        st.sampled_from([*schedule.DAYS, "Mon-Fri", "Sat,Sun", "Fri-Mon"]),
        st.integers(0, 23),
        st.integers(0, 29),
        st.integers(0, 23),
        st.integers(30, 59),
    ),
    max_size=3,
).map("; ".join)


@given(windows, st.integers(0, WEEK - 1))
def test_window_is_open_when_waited_for_and_not_before(text: str, minute: int) -> None:
    parsed = Windows.parse(text)
    wait = parsed.wait(minute)
    assert 0 <= wait < WEEK
    assert parsed.wait((minute + wait) % WEEK) == 0
    assert wait == 0 or parsed.wait((minute + wait - 1) % WEEK) == 1


def test_minute_of_the_week_begins_on_monday() -> None:
    minute = schedule.minute_of_week(time.strptime("2026-11-22 02:05", "%Y-%m-%d %H:%M"))
    assert minute == SUNDAY + 125
    assert schedule.minute_in_words(minute) == "Sun 02:05"

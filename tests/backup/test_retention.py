"""Which points stay."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.backup.retention import Rules, keep, time_of


def name(text: str, *, owner: str = "web01") -> str:
    """Return the name of a point from "11-28 20:15" of 2026, or with a year in front."""
    text = text if len(text) > 11 else f"2026-{text}"
    return f"{owner}/{datetime.strptime(text, '%Y-%m-%d %H:%M'):%Y-%m-%dT%H-%M-%SZ}-9c1f"


DAYS = [name(f"11-{day:02} {hour:02}:00") for day in range(1, 29) for hour in (3, 15)]


def kept(names: list[str], rules: Rules) -> list[str]:
    return list(keep(names, rules))


def test_newest_of_each_day() -> None:
    assert kept(DAYS, Rules(daily=3)) == [name(f"11-{day} 15:00") for day in (26, 27, 28)]


def test_days_without_points_do_not_count() -> None:
    names = [name("01-05 10:00"), name("03-07 10:00"), name("11-28 10:00")]
    assert kept(names, Rules(daily=2)) == names[1:]


def test_rules_are_independent_and_said() -> None:
    found = keep(DAYS, Rules(last=1, daily=2, weekly=2, monthly=5))
    assert found == {
        name("11-22 15:00"): ("weekly",),
        name("11-27 15:00"): ("daily",),
        name("11-28 15:00"): ("last", "daily", "weekly", "monthly"),
    }


def test_weeks_are_those_of_iso_8601() -> None:
    names = [name("2026-12-31 10:00"), name("2027-01-01 10:00"), name("2027-01-03 10:00"), name("2027-01-04 10:00")]
    assert kept(names, Rules(weekly=2)) == names[2:]  # the 3rd is the Sunday of week 53 of 2026
    assert kept(names, Rules(yearly=2)) == [names[0], names[3]]


def test_machines_do_not_share_a_rule() -> None:
    names = [name(f"11-{day} 10:00", owner=owner) for owner in ("a", "b") for day in (27, 28)]
    assert kept(names, Rules(last=1)) == [names[1], names[3]]


def test_days_begin_where_the_user_is() -> None:
    names = [name("11-27 22:00"), name("11-27 23:30"), name("11-28 12:00")]
    assert kept(names, Rules(daily=2)) == names[1:]
    east = timezone(timedelta(hours=1))
    assert list(keep(names, Rules(daily=2), zone=east)) == [names[0], names[2]]  # 23:30 is 00:30 of the 28th


def test_hour_that_comes_twice_is_two() -> None:
    names = [name("10-25 00:30"), name("10-25 01:30")]
    assert kept(names, Rules(hourly=2)) == names


def test_without_rules_all_stay() -> None:
    assert kept(DAYS, Rules()) == DAYS


@pytest.mark.parametrize("text", ["web01/soon", "web01/2026-02-31T10-00-00Z-9c1f", "web01"])
def test_name_without_a_time_stays(text: str) -> None:
    assert time_of(text) is None
    assert keep([text, *DAYS], Rules(last=1)) == {text: ("unknown time",), DAYS[-1]: ("last",)}


times = st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)), min_size=1, max_size=40, unique=True)
rules = st.builds(Rules, *[st.integers(0, 4)] * 6)


@given(times, rules)
def test_newest_stays_and_pruning_twice_changes_nothing(moments: list[datetime], chosen: Rules) -> None:
    names = sorted({f"web01/{moment:%Y-%m-%dT%H-%M-%SZ}-0000" for moment in moments})
    once = kept(names, chosen)
    assert names[-1] in once
    assert kept(once, chosen) == once
    assert once == [found for found in names if found in once]
    assert keep(list(reversed(names)), chosen, zone=UTC).keys() == set(once)

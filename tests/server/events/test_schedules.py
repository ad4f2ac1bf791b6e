"""Schedules as values: what is wrong with one, its table, and what changed from one version to the next."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from jeos.server.events import clashes, timetable, versions
from jeos.server.events.clashes import Clash, Kind
from jeos.server.events.placed import Placed
from jeos.server.events.versions import Change, Entry

NINE = datetime(2026, 5, 9, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(number: int, minute: int, minutes: int = 30, room: int | None = 1, **more: object) -> Placed:
    """Return a session that begins so many minutes after nine."""
    return Placed(number, f"session {number}", NINE + timedelta(minutes=minute), minutes, room, **more)  # type: ignore[arg-type]


def find(*placed: Placed, capacities: dict[int, int] | None = None) -> list[Clash]:
    return clashes.find(placed, first=NINE.date(), last=NINE.date(), zone=BERLIN, capacities=capacities or {})


@st.composite
def schedules(draw: st.DrawFn) -> list[Placed]:
    """Return sessions in some rooms of a day, by chance at the same time."""
    rows = draw(
        st.lists(st.tuples(st.integers(0, 60), st.integers(1, 24), st.sampled_from([None, 1, 2, 3])), max_size=12)
    )
    return [at(number, 5 * begin, 5 * length, room) for number, (begin, length, room) in enumerate(rows)]


def test_two_sessions_in_a_room_at_once_clash_and_those_after_each_other_do_not() -> None:
    first, second, third = at(1, 0), at(2, 20), at(3, 50)
    assert find(first, second, third) == [Clash(Kind.ROOM, first, second, 1)]
    assert find(at(1, 0), at(2, 30), at(3, 0, room=2), at(4, 0, room=None)) == []


def test_who_speaks_twice_at_once_is_named() -> None:
    first, second = at(1, 0, speakers=frozenset({7, 8})), at(2, 10, room=2, speakers=frozenset({8}))
    assert find(first, second) == [Clash(Kind.SPEAKER, first, second, 8)]


def test_session_outside_of_the_days_is_found_in_the_zone_of_the_event() -> None:
    midnight = datetime(2026, 5, 9, tzinfo=BERLIN)
    early, late = Placed(1, "a", midnight, 30), Placed(2, "b", midnight + timedelta(hours=23), 60)
    before, after = Placed(3, "c", midnight - timedelta(minutes=1), 30), Placed(4, "d", late.begins, 61)
    assert find(early, late) == []
    assert find(before, after) == [Clash(Kind.OUTSIDE, before), Clash(Kind.OUTSIDE, after)]


def test_room_that_is_too_small_is_found() -> None:
    wanted = at(1, 0, wanted=81)
    assert find(wanted, at(2, 60, wanted=80), at(3, 90, room=2, wanted=99), capacities={1: 80}) == [
        Clash(Kind.FULL, wanted, about=1)
    ]


@given(schedules())
def test_overlapping_pairs_are_those_that_share_a_moment(placed: list[Placed]) -> None:
    wanted = {
        frozenset((one.number, other.number))
        for one in placed
        for other in placed
        if one.number < other.number and one.begins < other.ends and other.begins < one.ends
    }
    pairs = [frozenset((one.number, other.number)) for one, other in clashes.overlapping(placed)]
    assert (len(pairs), set(pairs)) == (len(wanted), wanted)


def test_table_spans_what_is_long_and_what_is_everywhere() -> None:
    lunch, short, long, next_ = at(1, 90, room=None), at(2, 0), at(3, 0, 60, room=2), at(4, 30)
    found = timetable.grid([lunch, short, long, next_], rooms=[1, 2])
    assert found.rooms == (1, 2)
    times = [(row.time - NINE) // timedelta(minutes=1) for row in found.rows]
    cells = [[([one.number for one in c.sessions], c.rows, c.columns) for c in row.cells] for row in found.rows]
    assert times == [0, 30, 60, 90]
    assert cells == [[([2], 1, 1), ([3], 2, 1)], [([4], 1, 1)], [([], 1, 1), ([], 1, 1)], [([1], 1, 2)]]
    assert [row.busy for row in found.rows] == [True, True, False, True]


def test_table_gives_what_is_everywhere_a_column_where_something_else_is_on() -> None:
    found = timetable.grid([at(1, 0, 60, room=None), at(2, 30)], rooms=[1])
    assert found.rooms == (1, None)
    assert timetable.grid([at(1, 0, room=None)], rooms=[]).rooms == (None,)
    assert timetable.grid([], rooms=[1]).rows == ()


def test_sessions_that_share_room_and_time_share_a_cell() -> None:
    found = timetable.grid([at(1, 0), at(2, 15), at(3, 60)], rooms=[1])
    assert [[one.number for one in c.sessions] for row in found.rows for c in row.cells] == [[1, 2], [], [3]]


@given(schedules())
def test_table_has_every_session_once_and_is_a_rectangle(placed: list[Placed]) -> None:
    found = timetable.grid(placed, rooms=[1, 2, 3])
    shown = Counter(one.number for row in found.rows for cell in row.cells for one in cell.sessions)
    assert shown == Counter(one.number for one in placed)
    taken = Counter(
        (place + down)
        for place, row in enumerate(found.rows)
        for cell in row.cells
        for down in range(cell.rows)
        for _ in range(cell.columns)
    )
    assert all(taken[place] == len(found.rooms) for place in range(len(found.rows)))
    assert set(taken) == set(range(len(found.rows)))


entries = st.builds(
    Entry,
    number=st.integers(1, 9),
    title=st.sampled_from(["a", "b"]),
    room=st.sampled_from(["hall", ""]),
    begins=st.integers(0, 3).map(lambda hour: NINE + timedelta(hours=hour)),
    minutes=st.sampled_from([30, 45]),
)
plans = st.lists(entries, unique_by=lambda entry: entry.number, max_size=9)


@given(plans, plans)
def test_changes_lead_from_one_version_to_the_next(old: list[Entry], new: list[Entry]) -> None:
    found = versions.changes(old, new)
    made = {entry.number: entry.where for entry in old}
    for change in found:
        assert change.old is None or made.pop(change.old.number) == change.old.where
        if change.new is not None:
            made[change.new.number] = change.new.where
    assert made == {entry.number: entry.where for entry in new}
    assert versions.changes(old, old) == []


def test_changes_are_new_moved_and_gone() -> None:
    one, two, three = (Entry(number, "t", "hall", NINE, 30) for number in (1, 2, 3))
    moved = Entry(2, "other words", "cellar", NINE, 30)
    assert versions.changes([one, two], [moved, three]) == [
        Change(versions.Kind.NEW, None, three),
        Change(versions.Kind.MOVED, two, moved),
        Change(versions.Kind.GONE, one, None),
    ]
    assert versions.changes([one], [Entry(1, "another title", "hall", NINE, 30)]) == []


def test_day_of_an_event_ends_at_its_midnight_also_when_clocks_change() -> None:
    first = date(2026, 3, 29)  # a day of 23 hours in Berlin
    late = Placed(1, "a", datetime(2026, 3, 29, 23, tzinfo=BERLIN), 60)
    assert clashes.find([late], first=first, last=first, zone=BERLIN, capacities={}) == []

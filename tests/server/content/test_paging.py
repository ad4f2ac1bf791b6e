"""Lists by key: every row once, in order, whatever the cursor."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.accounts.models import Member
from jeos.server.content import paging
from jeos.server.content.models import Bookmark

KEYS = {"date": datetime, "id": int}


@pytest.mark.django_db
def test_pages_hold_every_row_once_in_order_even_if_dates_are_equal(ada: Member) -> None:
    day = datetime(2026, 5, 1, tzinfo=UTC)
    for number in range(25):
        Bookmark.objects.create(member=ada, kind=1, number=number, date=day + timedelta(hours=number // 7))
    seen: list[int] = []
    after: str | None = None
    sizes = []
    while True:
        page = paging.newest(Bookmark.objects.all(), keys=KEYS, after=after, size=4)
        seen += [row.number for row in page.rows]
        sizes.append(len(page.rows))
        if not page.after:
            break
        after = page.after
    assert seen == list(range(24, -1, -1))
    assert sizes == [4, 4, 4, 4, 4, 4, 1]


@pytest.mark.django_db
def test_list_by_name_rises_and_shows_each_row_once(ada: Member) -> None:
    for number in (5, 3, 9, 1, 7):
        Bookmark.objects.create(member=ada, kind=1, number=number)
    first = paging.by_name(Bookmark.objects.all(), keys={"number": int}, after=None, size=3)
    second = paging.by_name(Bookmark.objects.all(), keys={"number": int}, after=first.after, size=3)
    assert ([row.number for row in first.rows], [row.number for row in second.rows]) == ([1, 3, 5], [7, 9])
    assert second.after == ""


@pytest.mark.django_db
@pytest.mark.parametrize("cursor", ["", "nonsense", "AAAA", "bnVsbA", "W10", "WzEsMl0", "x" * 500, "WyJ4Iiwi\x00"])
def test_cursor_that_is_not_ours_is_the_first_page(ada: Member, cursor: str) -> None:
    Bookmark.objects.create(member=ada, kind=1, number=1)
    assert len(paging.newest(Bookmark.objects.all(), keys=KEYS, after=cursor, size=4).rows) == 1


@given(st.text(max_size=100))
def test_any_cursor_is_read_without_an_error(text: str) -> None:
    paging.decode(text, kinds=[datetime, int])


@given(st.datetimes(timezones=st.just(UTC)), st.integers(min_value=0, max_value=2**61))
def test_cursor_reads_back(when: datetime, number: int) -> None:
    assert paging.decode(paging.encode([when, number]), kinds=[datetime, int]) == [when, number]


@pytest.mark.parametrize("values", [[1 << 63], [True], ["1"], [1.5], [None]])
def test_cursor_with_a_number_that_no_database_has_is_not_ours(values: list[object]) -> None:
    assert paging.decode(paging.encode(values), kinds=[int]) is None

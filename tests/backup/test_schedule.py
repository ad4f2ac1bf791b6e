"""Schedules of backups: what a file says, and what is due."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.backup.retention import Rules
from jeos.backup.schedule import Schedule, Schedules, parse
from jeos.core.errors import InputError, UsageError
from jeos.model.schedule import ALWAYS, Windows

HOURLY = Schedule(every=3600, window=ALWAYS)
NOW = 1_800_000_000.0


def test_file_gives_each_machine_its_schedule() -> None:
    found = parse(
        '[default]\nevery = "24h"\nwindow = "Sun 02:00-05:00"\n[machines.web01]\nevery = "1h"\n'
        'store = "s3://b/w"\nkeep-daily = 7\n',
        source="it",
    )
    default = Schedule(86400, Windows.parse("Sun 02:00-05:00"))
    web = Schedule(3600, ALWAYS, store="s3://b/w", keep=Rules(daily=7))
    assert found == Schedules({"web01": web}, default)
    assert (found.of("web01"), found.of("other")) == (web, default)
    assert parse("", source="it").of("web01") is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("every = ", "is not TOML"),
        ('[defaults]\nevery = "1h"', r"there is no \[defaults\]"),
        ("[default]\n", "''.*is not a period"),
        ('[default]\nevery = "often"', "'often' is not a period"),
        ('[default]\nevery = "30s"', "less than a minute"),
        ("[default]\nevery = 3600", "every is not a text"),
        ('[default]\nevery = "1h"\nwindow = "at night"', "is not a window"),
        ('[default]\nevery = "1h"\nkeep = "7"', "has no key keep"),
        ('[default]\nevery = "1h"\nkeep-daily = "7"', "is a number of points"),
        ('[default]\nevery = "1h"\nkeep-last = true', "is a number of points"),
        ("machines = 3", r"\[machines\] holds"),
        ("[machines]\nweb = 3", r"\[machines.web\] is not a table"),
        ("default = 3", r"\[default\] is not a table"),
    ],
)
def test_file_that_is_wrong_says_where(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse(text, source="it")


def test_name_that_no_machine_can_have_is_refused() -> None:
    with pytest.raises(UsageError):
        parse('[machines."../x"]\nevery = "1h"', source="it")


@pytest.mark.parametrize(
    ("last", "failed", "due"),
    [
        (0.0, 0.0, True),
        (NOW - 3600, 0.0, True),
        (NOW - 3599, 0.0, False),
        (NOW + 500, 0.0, True),  # the clock was set back
        (0.0, NOW - 100, False),
        (0.0, NOW - 600, True),
    ],
)
def test_backup_is_due_by_the_last_point_and_the_last_failure(last: float, failed: float, due: bool) -> None:
    assert HOURLY.due(last=last, now=NOW, failed=failed) is due


def test_backup_waits_for_its_window() -> None:
    local = time.localtime(NOW)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.tm_wday]
    other = ("Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Mon")[local.tm_wday]
    assert Schedule(3600, Windows.parse(f"{day} 00:00-24:00")).open(NOW)
    closed = Schedule(3600, Windows.parse(f"{other} 00:00-24:00"))
    assert not closed.open(NOW)
    assert not closed.due(last=0.0, now=NOW)


@given(st.text())
def test_file_of_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError, UsageError):
        assert isinstance(parse(text, source="it"), Schedules)

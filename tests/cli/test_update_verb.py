"""`jeos update`: what a machine's status says about a release that was tried, and how machines are found."""

import pytest

from jeos.cli import update
from jeos.core.errors import UsageError

BEFORE = {"version": "1.0", "boot": "a"}
FAILED = {"version": "1.1", "reason": "page: refused"}


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ({}, None),
        ({"version": "1.0", "boot": "a", "update": {"trial": {"version": "1.1"}}}, None),
        ({"version": "1.1", "boot": "b"}, None),
        ({"version": "1.1", "boot": "b", "update": {"trial": {"version": "1.1"}}}, None),
        ({"version": "1.1", "boot": "b", "update": {"trial": {}}}, True),
        ({"version": "1.1", "boot": "b", "update": {"trial": {"version": "1.1"}, "failed": [FAILED]}}, None),
        ({"version": "1.0", "boot": "b", "update": {"trial": {}, "failed": []}}, None),
        ({"version": "1.0", "boot": "b", "update": {"trial": {"version": "1.1"}, "failed": [FAILED]}}, None),
        ({"version": "1.0", "boot": "b", "update": {"trial": {}, "failed": [FAILED]}}, "page: refused"),
        ({"version": "1.0", "boot": "b", "update": {"trial": {}, "failed": [3]}}, None),
    ],
)
def test_release_is_kept_left_or_open(status: dict[str, object], wanted: bool | str | None) -> None:
    assert update.verdict(status, BEFORE, wanted="1.1") == wanted


def test_machine_must_be_named_where_none_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeos.vm.session.all_seen", lambda: [])
    with pytest.raises(UsageError, match="which machine is to be updated\\? no machine runs"):
        update.the_only_one()

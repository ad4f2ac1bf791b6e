"""`jeos tune` as users start it: pairs of emulated guests by turns, and machines that start with what was kept."""

import json
from pathlib import Path

import pytest

from jeos.measure.tune import ALL_QUANTITIES, DISK_QUANTITIES, NETWORK_QUANTITIES, Verdict
from jeos_command import Jeos
from soak import LONG

pytestmark = [pytest.mark.network, pytest.mark.vm, LONG]


def test_settings_are_compared_and_what_helps_is_kept(jeos: Jeos, tiny: Path) -> None:
    found = json.loads(jeos.run("tune", tiny, "--rounds", "5", "--accel", "tcg", "--apply", "--json").stdout)
    assert found["accelerator"] == "tcg"
    trials = {trial["name"]: trial for trial in found["trials"]}
    assert list(trials) == ["io-uring", "native", "iothread", "packed", "huge"]
    assert [one["quantity"] for one in trials["iothread"]["judged"]] == [*DISK_QUANTITIES]
    assert [one["quantity"] for one in trials["packed"]["judged"]] == [*DISK_QUANTITIES, *NETWORK_QUANTITIES]
    for trial in trials.values():
        assert bool(trial["judged"]) != bool(trial["why_not"])
        verdicts = {one["quantity"]: one["verdict"] for one in trial["judged"]}
        assert trial["kept"] == (Verdict.BETTER in verdicts.values() and Verdict.WORSE not in verdicts.values())
        assert not verdicts or set(verdicts) <= set(ALL_QUANTITIES)
    assert found["tuning"]["iothread"] == trials["iothread"]["kept"]
    assert found["tuning"]["huge"] == trials["huge"]["kept"]
    shown = json.loads(jeos.run("tune", "--show", "--json").stdout)
    assert shown["profile"]["tuning"] == found["tuning"]
    assert shown["unused"] == ""
    jeos.run("tune", "--reset")
    assert list((jeos.state / "overhead").iterdir()) == []

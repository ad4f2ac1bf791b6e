from dataclasses import replace
from pathlib import Path

import pytest

from jeos.measure import tune
from jeos.measure.tune import Judged, Verdict, by_chance, candidates, judge, judge_all, worth_it
from jeos.model.tuning import USUAL, Engine, Tuning
from jeos.vm import host_profile

QUICKER = [(10.0, 8.0)] * 7 + [(10.0, 11.0)]
SLOWER = [(without, with_it) for with_it, without in QUICKER]


@pytest.mark.parametrize(("wins", "rounds", "chance"), [(8, 8, 1 / 256), (7, 8, 9 / 256), (0, 8, 1.0), (3, 5, 0.5)])
def test_chance_is_that_of_a_fair_coin(wins: int, rounds: int, chance: float) -> None:
    assert by_chance(wins, of=rounds) == pytest.approx(chance)


def test_quantity_that_is_quicker_in_nearly_all_rounds_is_better() -> None:
    assert judge("disk-read", QUICKER, margin=0.03) == Judged("disk-read", 0.8, 7, 8, 0.03, Verdict.BETTER)


def test_quantity_that_is_slower_in_nearly_all_rounds_is_worse() -> None:
    assert judge("disk-read", SLOWER, margin=0.03).verdict is Verdict.WORSE


def test_difference_that_chance_makes_says_nothing() -> None:
    rounds = [(10.0, 5.0)] * 6 + [(10.0, 11.0)] * 2  # half the time, but in 6 of 8 rounds only
    assert judge("disk-read", rounds, margin=0.03).verdict is Verdict.SAME


def test_difference_below_the_margin_says_nothing() -> None:
    assert judge("disk-read", [(10.0, 9.8)] * 8, margin=0.03).verdict is Verdict.SAME
    assert judge("disk-read", [(10.0, 9.8)] * 8, margin=0.01).verdict is Verdict.BETTER


def test_each_quantity_has_its_own_margin() -> None:
    found = judge_all({"disk-read": QUICKER, "disk-write": QUICKER}, margins={"disk-read": 0.3})
    assert [one.verdict for one in found] == [Verdict.SAME, Verdict.BETTER]


def test_setting_that_makes_anything_worse_is_not_kept() -> None:
    better, worse = judge("disk-read", QUICKER, margin=0.03), judge("disk-write", SLOWER, margin=0.03)
    same = judge("disk-stream", [(1.0, 1.0)] * 8, margin=0.03)
    assert worth_it([better, same])
    assert not worth_it([better, worse])
    assert not worth_it([same])
    assert not worth_it([])


def test_settings_that_the_host_lacks_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_profile, "io_uring_complaint", lambda: "Operation not permitted")
    monkeypatch.setattr(host_profile, "free_huge_pages", lambda: 3)
    monkeypatch.setattr(host_profile, "around_the_cache", lambda path: False)
    found = {one.name: one.why_not for one in candidates(tmp_path)}
    assert "Operation not permitted" in found["io-uring"]
    assert "3 such pages are free, and 512 are needed" in found["huge"]
    assert str(tmp_path) in found["native"]
    assert found["iothread"] == ""
    assert list(tmp_path.iterdir()) == []


def test_settings_add_up(tmp_path: Path) -> None:
    tuning = USUAL
    for one in candidates(tmp_path):
        tuning = one.change(tuning)
    assert tuning == Tuning(engine=Engine.NATIVE, direct=True, iothread=True, huge=True, packed=True)
    assert replace(tuning, engine=Engine.THREADS, direct=False, iothread=False, huge=False, packed=False) == USUAL


def test_fewest_rounds_can_tell_from_chance() -> None:
    assert by_chance(tune.FEWEST_ROUNDS, of=tune.FEWEST_ROUNDS) <= tune.CHANCE
    assert by_chance(tune.FEWEST_ROUNDS - 1, of=tune.FEWEST_ROUNDS - 1) > tune.CHANCE

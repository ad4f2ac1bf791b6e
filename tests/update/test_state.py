"""What is remembered, through cuts at every byte, damage and other processes."""

import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.update import state, state_file
from jeos.update.state import Failure, State, Trial

TRIAL = Trial(
    version="1.1", root_hash="ab" * 32, previous="1.0", previous_hash="cd" * 32, since=5.0, reasons=("web: no",)
)
FULL = State(
    trial=TRIAL,
    confirmed="1.0",
    previous="0.9",
    failures=(Failure("1.05", "ef" * 32, "it was broken", 7.0, log="words", target="12" * 32),),
    hooks=("1.0-move",),
    agent={"checked": 12.5, "pin": ""},
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_read_returns_what_was_written(tmp_path: Path) -> None:
    assert state.read(str(tmp_path)) == State()
    assert state.change(lambda now: FULL, folder=str(tmp_path)) == FULL
    assert state.read(str(tmp_path)) == FULL


def test_mark_is_there_while_there_is_a_trial(tmp_path: Path) -> None:
    mark = tmp_path / state.TRIAL_MARK
    state.change(lambda now: FULL, folder=str(tmp_path))
    assert mark.exists()
    state.change(lambda now: replace(now, trial=None), folder=str(tmp_path))
    assert not mark.exists()


def test_state_cut_short_at_any_byte_is_the_one_before(tmp_path: Path) -> None:
    state.change(lambda now: replace(FULL, confirmed="old"), folder=str(tmp_path))
    state.change(lambda now: FULL, folder=str(tmp_path))
    whole = (tmp_path / state_file.NAME).read_bytes()
    for length in range(0, len(whole) - 1, 13):
        (tmp_path / state_file.NAME).write_bytes(whole[:length])
        assert state.read(str(tmp_path)).confirmed == "old"


def test_state_with_a_flipped_bit_is_the_one_before_and_is_mended_by_the_next(tmp_path: Path) -> None:
    state.change(lambda now: replace(FULL, confirmed="old"), folder=str(tmp_path))
    state.change(lambda now: FULL, folder=str(tmp_path))
    place = tmp_path / state_file.NAME
    place.write_bytes(place.read_bytes().replace(b'"1.0"', b'"7.0"'))
    assert state.read(str(tmp_path)).confirmed == "old"
    state.change(lambda now: replace(now, confirmed="new"), folder=str(tmp_path))
    assert json.loads((tmp_path / f"{state_file.NAME}.old").read_text())["state"]["confirmed"] == "old"
    assert state.read(str(tmp_path)).confirmed == "new"


def test_state_of_which_nothing_holds_is_a_new_one(tmp_path: Path) -> None:
    state.change(lambda now: FULL, folder=str(tmp_path))
    for path in tmp_path.glob("state.json*"):
        path.write_bytes(os.urandom(200))
    assert state.read(str(tmp_path)) == State()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["trial", "confirmed", "failures", "hooks", "agent", "x"]), anything))
def test_parse_takes_anything(fields: dict[str, object]) -> None:
    found = state.parse(fields)
    assert state.parse(json.loads(json.dumps(state.dump(found)))) == found


def add_hooks(folder: str, name: str) -> None:
    def add(hook: str) -> None:
        state.change(lambda now: replace(now, hooks=(*now.hooks, hook)), folder=folder)

    for number in range(20):
        add(f"{name}{number}")


def test_changes_of_processes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=add_hooks, args=(str(tmp_path), name)) for name in "ab"]
    for process in others:
        process.start()
    for process in others:
        process.join()
    assert sorted(state.read(str(tmp_path)).hooks) == sorted(f"{name}{number}" for name in "ab" for number in range(20))


def test_failures_keep_their_first_reason_and_the_newest_stay() -> None:
    found = State()
    for number in range(30):
        found = found.with_failure(Failure(str(number), f"{number:064x}", "first"))
    again = found.with_failure(Failure("29", f"{29:064x}", "second", target="12" * 32))
    assert len(found.failures) == state.MOST_FAILURES
    assert again.failure(f"{29:064x}") == Failure("29", f"{29:064x}", "first", target="12" * 32)
    assert found.failure(f"{1:064x}") is None


def test_a_reason_without_end_is_cut() -> None:
    found = State().with_failure(Failure("1", "ab" * 32, "x" * 100_000, log="y" * 100_000 + "the end"))
    assert len(found.failures[0].reason) == state.LONGEST_REASON
    assert found.failures[0].log.endswith("the end")


@pytest.mark.parametrize("name", ["", state_file.NAME])
def test_read_where_there_is_no_folder_is_a_new_state(tmp_path: Path, name: str) -> None:
    assert state.read(str(tmp_path / "none" / name)) == State()

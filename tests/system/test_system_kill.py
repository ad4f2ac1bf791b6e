"""A build that is killed leaves nothing behind, and the next one makes the same image."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from jeos.build import namespace, outputs
from jeos_command import Jeos, copy_recipe, digests, make_jeos, mounts, nothing_left_running
from ordinary_user import give
from soak import LONG, SOAK

# Fifty builds and more take their time where other programs want the processors too.
pytestmark = [pytest.mark.network, pytest.mark.timeout(2400)]
AS_ROOT, AS_USER = 40 if SOAK else 5, 10  # times that a build is killed
LATEST = 1.1  # of the time that an undisturbed build takes, so that some kills come too late

# What is taken out of the cache before a build, so that it goes through other steps; and how often, of 20 times.
DROPPED = (((), 15), (("stages",), 3), (("layers",), 1), (("stages", "layers", "unpacked"), 1))
OTHER_BUILDS = 0.3  # part of the kills after which a build runs to its end; the others are followed by the next kill


def drop(cache: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        shutil.rmtree(cache / kind, ignore_errors=True)


def timed(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def kill_again_and_again(jeos: Jeos, recipe: Path, *, times: int, seed: int) -> None:
    """Kill builds at random moments; after each, look around, and let the next one run to its end."""
    chance = random.Random(seed)
    expected = digests(jeos.build(recipe))
    usual = {kinds: timed(partial(rebuild, jeos, recipe, kinds)) for kinds, _ in DROPPED}
    for number in range(times):
        (kinds,) = chance.choices([kinds for kinds, _ in DROPPED], [often for _, often in DROPPED])
        moment = usual[kinds] * chance.uniform(0, LATEST)
        where = f"kill {number} of seed {seed}: after {moment:.2f} s without {kinds}"
        if chance.random() < 0.5:
            shutil.rmtree(recipe / "build", ignore_errors=True)  # there is no older build then
        drop(jeos.cache, kinds)
        with nothing_left_running():
            process = jeos.start("build", recipe, "--force")
            try:
                process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        assert mounts(recipe.parent, jeos.work, jeos.folder) == [], where
        check_outputs(recipe, expected, where)
        check_work(jeos, where)
        if chance.random() < OTHER_BUILDS:
            assert digests(jeos.build(recipe, "--force")) == expected, where
    assert digests(jeos.build(recipe, "--force")) == expected
    assert not jeos.work.exists() or list(jeos.work.iterdir()) == []


def rebuild(jeos: Jeos, recipe: Path, kinds: tuple[str, ...]) -> None:
    drop(jeos.cache, kinds)
    jeos.build(recipe, "--force")


def check_outputs(recipe: Path, expected: dict[str, str], where: str) -> None:
    """A description is there only with all that it describes, and no file is half-made."""
    folder = recipe / "build"
    files = [path.name for path in folder.glob("*") if path.name != "logs"] if folder.exists() else []
    assert [name for name in files if name.startswith(".") or "partial" in name] == [], where
    if "tiny_1.json" in files:
        found = outputs.find(recipe)
        assert digests(found) == expected, where
        found.report()


def check_work(jeos: Jeos, where: str) -> None:
    """What a killed build worked on is gone at once on tmpfs, but for its name."""
    if jeos.work.exists():
        assert [path for path in jeos.work.rglob("*") if path.is_file()] == [], where


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("JEOS_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


@pytest.fixture
def own(jeos: Jeos, tiny: Path, tmp_path: Path) -> Iterator[Jeos]:
    """Return the command with a cache that only these tests spoil."""
    found = make_jeos(tmp_path / "own", store=jeos.cache / "store")
    yield found
    namespace.remove_tree(found.cache)


def test_killed_build_leaves_nothing_and_the_next_works(own: Jeos, tiny: Path, tmp_path: Path, seed: int) -> None:
    kill_again_and_again(own, copy_recipe(tiny, tmp_path / "tiny"), times=AS_ROOT, seed=seed)


@LONG
@pytest.mark.root
def test_killed_build_of_an_ordinary_user_leaves_nothing(user_jeos: Jeos, tiny: Path, seed: int) -> None:
    recipe = give(tiny, user_jeos.folder.parent / "home/killed")
    kill_again_and_again(user_jeos, recipe, times=AS_USER, seed=seed)

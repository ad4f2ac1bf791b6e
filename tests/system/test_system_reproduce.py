"""The same recipe and lock give the same image: whoever builds it, wherever, whatever is cached."""

import shutil
from pathlib import Path

import pytest

from jeos.build import namespace, outputs
from jeos_command import Jeos, copy_recipe, digests, make_jeos
from ordinary_user import USER, give

pytestmark = pytest.mark.network


@pytest.mark.root
def test_ordinary_user_builds_the_same_image_as_root(tiny: Path, user_jeos: Jeos) -> None:
    recipe = give(tiny, user_jeos.folder.parent / "home/tiny")
    assert digests(user_jeos.build(recipe)) == digests(outputs.find(tiny))
    assert {path.owner() for path in (recipe / "build").rglob("*")} == {USER}


def test_check_finds_two_builds_of_the_example_the_same(jeos: Jeos, web: outputs.Outputs) -> None:
    said = jeos.run("build", "--check", web.folder.parent)
    assert "both builds are the same, bit for bit" in said.stderr
    assert not list((jeos.cache / "check").iterdir())
    assert not list(jeos.work.iterdir())


def test_builds_of_one_recipe_at_the_same_time_take_turns(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    recipe = copy_recipe(tiny, tmp_path / "tiny")
    builds = [jeos.start("build", recipe) for _ in range(3)]
    said = "".join(build.communicate(timeout=400)[1] for build in builds)
    assert [build.returncode for build in builds] == [0, 0, 0], said
    assert said.count("is up to date") == 2, said
    assert digests(outputs.find(recipe)) == digests(outputs.find(tiny))
    assert not (recipe / "build/logs/.lock").exists()


def test_build_is_the_same_in_every_state_of_the_cache(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    expected = digests(outputs.find(tiny))
    recipe = copy_recipe(tiny, tmp_path / "tiny")
    fresh = make_jeos(tmp_path / "fresh", store=jeos.cache / "store")
    assert digests(fresh.build(recipe)) == expected, "with nothing cached"
    assert digests(fresh.build(recipe, "--force")) == expected, "with everything cached"
    shutil.rmtree(fresh.cache / "unpacked")
    shutil.rmtree(fresh.cache / "stages")
    assert digests(fresh.build(recipe, "--force")) == expected, "with layers alone"
    shutil.rmtree(fresh.cache / "layers")
    assert digests(fresh.build(recipe, "--force")) == expected, "with unpacked packages alone"
    namespace.remove_tree(fresh.cache)

"""One build of the example and of a small recipe, for all tests of the whole."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.build import namespace
from jeos.build.outputs import Outputs
from jeos_command import EXAMPLE, Jeos, copy_recipe, make_jeos, write_recipe
from ordinary_user import ordinary_user


@pytest.fixture(scope="session")
def jeos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jeos]:
    """Return the command, with a cache that all tests share."""
    found = make_jeos(tmp_path_factory.mktemp("jeos"))
    yield found
    namespace.remove_tree(found.cache)
    shutil.rmtree(found.work, ignore_errors=True)


@pytest.fixture(scope="session")
def web(jeos: Jeos) -> Outputs:
    """Return the example, a web site, built."""
    recipe = copy_recipe(EXAMPLE, jeos.folder / "web")
    (recipe / "appliance.lock").unlink(missing_ok=True)  # its packages may have left the mirror since
    return jeos.build(recipe)


@pytest.fixture(scope="session")
def tiny(jeos: Jeos) -> Path:
    """Return the folder of a recipe with nothing but the base, locked and built."""
    folder = write_recipe(jeos.folder / "tiny")
    jeos.build(folder)
    return folder


@pytest.fixture(scope="session")
def user_jeos(jeos: Jeos, tiny: Path) -> Iterator[Jeos]:
    """Return the command as an ordinary user starts it; the store has what the small recipe needs."""
    with ordinary_user(jeos) as found:
        yield found


@pytest.fixture
def is_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs to be root")

from pathlib import Path

import pytest

from jeos.build.load import load
from jeos.core.errors import InputError
from jeos.model.recipe import FileRule, Recipe

SMALL = 'name = "a"\nversion = "1"\n'
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_load_takes_a_folder_or_the_file(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text(SMALL)
    (tmp_path / "other.toml").write_text(SMALL + '[[file]]\ntarget = "/a"\nsource = "other.toml"\n')
    assert load(tmp_path) == Recipe(name="a", version="1")
    assert load(tmp_path / "other.toml").files == (FileRule(target="/a", source="other.toml"),)


def test_load_without_a_recipe_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"there is no appliance.toml in {tmp_path}\nhint: make one with `jeos new NAME`, or go where one is"
    )
    with pytest.raises(InputError, match=r"there is no recipe .*nothing"):
        load(tmp_path / "nothing")


def test_load_names_every_missing_file_with_its_line(tmp_path: Path) -> None:
    text = SMALL + 'debs = [\n "x.deb",\n]\neula = "E.txt"\n[[file]]\ntarget = "/a"\nsource = "b"\n'
    (tmp_path / "appliance.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    path = tmp_path / "appliance.toml"
    assert caught.value.message.splitlines() == [
        f'{path}:4: "x.deb": there is no such file',
        f'{path}:6: "E.txt": there is no such file',
        f'{path}:9: "b": there is no such file',
    ]
    assert load(tmp_path, sources=False).debs == ("x.deb",)


def test_load_knows_the_rules_of_slim(tmp_path: Path) -> None:
    path = tmp_path / "appliance.toml"
    path.write_text(SMALL + '[slim]\nskip = ["locales", "manual"]\n')
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert caught.value.message == f'{path}:4: skip = "manual": slim has no such rule'
    assert "locales, login-databases, manuals" in caught.value.hint


def test_load_refuses_what_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match="byte 8 is not UTF-8"):
        load(tmp_path)


@pytest.mark.parametrize("folder", sorted(EXAMPLES.iterdir()), ids=lambda folder: folder.name)
def test_example_loads(folder: Path) -> None:
    assert load(folder, sources=not (folder / "fetch.sh").exists()).name  # what it would fetch is not there

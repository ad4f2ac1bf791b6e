import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from jeos.model.recipe_keys import RECIPE, table_of
from jeos.model.recipe_reference import page
from jeos.model.recipe_schema import as_text, schema
from jeos.model.recipe_shapes import BROKEN, Problems
from jeos.model.recipe_tables import Key, ListOf
from jeos.model.recipe_text import parse

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VALIDATOR = Draft202012Validator(schema())

# What is wrong with these lies between keys, or is a limit of a size: only jeos itself can tell.
BEYOND_A_SCHEMA = {
    "disk-limits-above",
    "file-root",
    "file-twice",
    "file-volatile",
    "kernel-root",
    "mirror-password",
    "packages-excluded",
    "port-twice",
    "property-choice",
    "property-integer",
    "property-pattern",
    "property-secret",
    "systemd-both",
    "unit-masked",
    "unit-without-install",
    "user-root",
}


def valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(tomllib.loads(text)))


def test_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(schema())
    assert json.loads(as_text()) == schema()


def test_schema_accepts_what_the_parser_accepts() -> None:
    recipes = [HERE / "every_key.toml", *ROOT.glob("examples/*/appliance.toml")]
    assert [path for path in recipes if not valid(path.read_text())] == []


def test_schema_refuses_what_the_parser_refuses_but_for_what_it_cannot_say() -> None:
    wrong = [path for path in (HERE / "wrong").glob("*.toml") if not path.stem.startswith("not-toml")]
    assert {path.stem for path in wrong if valid(path.read_bytes().decode())} == BEYOND_A_SCHEMA


def test_schema_describes_each_key() -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            for name, inner in node.get("properties", {}).items():
                assert inner["description"], name
            for inner in node.values():
                check(inner)
        elif isinstance(node, list):
            for inner in node:
                check(inner)

    check(schema())


ALL_KEYS = [(key.name, key) for key in RECIPE.keys if table_of(key) is None] + [
    (f"{outer.name}.{key.name}", key)
    for outer in RECIPE.keys
    for table in [table_of(outer)]
    if table
    for key in table.keys
]


@pytest.mark.parametrize(("name", "key"), ALL_KEYS, ids=[name for name, _ in ALL_KEYS])
def test_example_of_a_key_is_right(name: str, key: Key) -> None:
    problems = Problems()
    value = tomllib.loads(f"{key.name} = {key.example}")[key.name]
    assert key.shape.read(value, path=(key.name,), problems=problems) is not BROKEN
    assert problems.found == []


def test_reference_has_a_row_for_each_key() -> None:
    rows = [line.split(" | ")[0] for line in page().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name.rpartition('.')[2]}`" for name, _ in ALL_KEYS if name != "sysctl"]
    assert "## `[sysctl]`" in page()


def test_reference_shows_examples_that_are_sound_recipes() -> None:
    top, *blocks = [part.split("```")[0] for part in page().split("```toml\n")[1:]]
    assert parse(top, source="reference").name == "hello"
    tables = [key for key in RECIPE.keys if table_of(key) or key.name == "sysctl"]
    assert len(blocks) == len(tables)
    for key, block in zip(tables, blocks, strict=True):
        read = getattr(parse(f'name = "a"\nversion = "1"\n{block}', source="reference"), key.attribute)
        assert read, key.name
        assert len(read) == 1 if isinstance(key.shape, ListOf) else True

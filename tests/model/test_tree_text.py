"""A tree as text: round trip, and hostile input."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model import tree_text
from jeos.model.tree import Entry, Kind, Tree

letters = st.characters(
    exclude_characters="/\0", categories=("L", "M", "N", "P", "S", "Z", "Co", "Cc")
) | st.sampled_from("\udc80\udcff")
names = st.text(letters, min_size=1, max_size=8).filter(lambda name: name not in "..")
entries = st.builds(
    Entry,
    path=st.lists(names, min_size=1, max_size=3).map("/".join),
    kind=st.sampled_from(Kind),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 65535),
    gid=st.integers(0, 65535),
    mtime=st.integers(0, 1 << 40),
    size=st.integers(0, 1 << 40),
    digest=st.text("0123456789abcdef", max_size=64),
    target=st.text(max_size=8),
    device=st.tuples(st.integers(0, 4095), st.integers(0, 1 << 20)),
    xattrs=st.dictionaries(names, st.binary(max_size=8), max_size=2).map(lambda found: tuple(sorted(found.items()))),
    hardlink=st.text(max_size=8),
)


@given(st.lists(entries, max_size=6))
@settings(max_examples=60)
def test_tree_text_round_trip(found: list[Entry]) -> None:
    tree = Tree.of(found)
    assert tree_text.parse(tree_text.dump(tree), source="x") == tree


@given(st.text(max_size=60))
@settings(max_examples=60)
def test_tree_text_of_anything_else_is_refused_cleanly(text: str) -> None:
    with pytest.raises(InputError):
        tree_text.parse(text, source="x")


def test_tree_text_with_a_name_that_is_no_bytes_is_refused() -> None:
    text = json.dumps({"jeos-tree": 1}) + "\n" + json.dumps({"path": "\ud800", "kind": "file"})
    with pytest.raises(InputError):
        tree_text.parse(text, source="x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({"path": json_values, "kind": json_values, "device": json_values, "xattrs": json_values}))
@settings(max_examples=80)
def test_tree_text_with_odd_values_is_refused_or_read(value: dict[str, object]) -> None:
    text = json.dumps({"jeos-tree": 1}) + "\n" + json.dumps(value)
    try:
        assert isinstance(tree_text.parse(text, source="x"), Tree)
    except InputError as error:
        assert error.message == "x, line 2: not an entry of a tree"

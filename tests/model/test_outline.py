from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erofs_trees import everything
from jeos.core.errors import InputError
from jeos.model import numbers, outline
from jeos.model.tree import Entry, Kind, Tree

TIME = 1_700_000_000


def plain(tree: Tree) -> list[Entry]:
    return [replace(entry, digest="") for entry in outline.canonical(tree)]


def test_outline_round_trip_of_every_kind_of_entry() -> None:
    tree = Tree(tuple(replace(entry, mtime=max(entry.mtime, 0)) for entry in everything().tree))
    assert list(outline.parse(outline.dump(outline.canonical(tree), time=TIME), time=TIME)) == plain(tree)


def test_outline_does_not_tell_the_time_of_the_release() -> None:
    entries = [Entry(path="", kind=Kind.DIRECTORY, mtime=5), Entry(path="a", kind=Kind.FILE, mtime=5, size=3)]
    later = [replace(entry, mtime=9) for entry in entries]
    assert outline.dump(Tree.of(entries), time=5) == outline.dump(Tree.of(later), time=9)


def test_outline_text() -> None:
    tree = Tree.of(
        [
            Entry(path="a dir", kind=Kind.DIRECTORY),
            Entry(path="a dir/file", kind=Kind.FILE, mode=0o644, size=8, uid=1, mtime=7),
            Entry(path="link", kind=Kind.SYMLINK, mode=0o777, target="a dir"),
        ]
    )
    assert (
        outline.dump(tree, time=0) == b":1\n. d 755\n> a%20dir d 755\n> file f 644 8 o1:0 t7\n<\nlink l 777 a%20dir\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b":2\n. d 755\n",
        b":1\n. d 755",
        b":1\na d 755\n",
        b":1\n. d 755\n<\n",
        b":1\n. d 755\n> a/b f 644 0\n",
        b":1\n. d 755\n> a f 644 -1\n",
        b":1\n. d 755\n> a f 644 1\n> b f 644 1\n",
        b":1\n. d 755\n> a f 644 1 z\n",
        b":1\n. d 755\n> a f 644 1\na f 644 1\n",
        b":1\n. d 755\n> a h b\n",
        b":1\n. d 755\n> a q 644\n",
    ],
)
def test_wrong_outline_is_refused(text: bytes) -> None:
    with pytest.raises(InputError):
        outline.parse(text, time=0)


@settings(max_examples=200)
@given(st.lists(st.text(alphabet="<>: .dfhl%20A/7otx=", max_size=12), max_size=6))
def test_hostile_outline_raises_only_input_error(lines: list[str]) -> None:
    with suppress(InputError):
        outline.parse("\n".join([":1", *lines, ""]).encode(), time=0)


@given(st.lists(st.integers(0, (1 << 63) - 1)))
def test_numbers_round_trip(values: list[int]) -> None:
    assert numbers.unpack(numbers.pack(values)) == values


@given(st.integers(-(1 << 60), 1 << 60))
def test_signed_numbers_round_trip(value: int) -> None:
    assert numbers.unfold(numbers.fold(value)) == value


def test_numbers_that_are_cut_off_or_endless_are_refused() -> None:
    for data in (b"\x80", b"\xff" * 10):
        with pytest.raises(InputError):
            numbers.unpack(data)

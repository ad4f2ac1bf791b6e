"""What differs between the files of two points."""

from dataclasses import replace

import pytest

from jeos.backup.diff import Change, Difference, differences
from jeos.disk.filesystems.base import MissingFileError
from jeos.disk.root import Mounted, Root
from memory_filesystem import Content, Link, MemoryFileSystem, memory_root

BEFORE: dict[str, Content] = {
    "etc/same": "1",
    "etc/grown": "1",
    "etc/link": Link("same"),
    "etc/folder/inside": "12",
    "etc/gone/deep": "123",
    "var/log": "1",
}
AFTER: dict[str, Content] = {
    "etc/same": "1",
    "etc/grown": "123",
    "etc/link": Link("grown"),
    "etc/folder": "now a file",
    "etc/new/deep": "1234",
    "var/log": "1",
}


def found(old: Root, new: Root, path: str = "/", *, contents: bool = False) -> list[Difference]:
    notes: list[str] = []
    result = list(differences(old, new, path, contents=contents, notes=notes))
    assert notes == []
    return result


def test_added_changed_and_removed() -> None:
    assert found(memory_root(BEFORE), memory_root(AFTER)) == [
        Difference("etc/folder", Change.REMOVED),
        Difference("etc/folder/inside", Change.REMOVED, size_before=2),
        Difference("etc/folder", Change.ADDED, size=10),
        Difference("etc/gone", Change.REMOVED),
        Difference("etc/gone/deep", Change.REMOVED, size_before=3),
        Difference("etc/grown", Change.CHANGED, ("content",), size_before=1, size=3),
        Difference("etc/link", Change.CHANGED, ("target",)),
        Difference("etc/new", Change.ADDED),
        Difference("etc/new/deep", Change.ADDED, size=4),
    ]


def test_only_a_path() -> None:
    before, after = memory_root(BEFORE), memory_root(AFTER)
    assert found(before, after, "var") == []
    assert found(before, after, "/etc/new") == [
        Difference("etc/new", Change.ADDED),
        Difference("etc/new/deep", Change.ADDED, size=4),
    ]
    with pytest.raises(MissingFileError):
        found(before, after, "nowhere")


def test_nothing_differs() -> None:
    assert found(memory_root(BEFORE), memory_root(BEFORE)) == []


def with_file(content: bytes, **told: int) -> Root:
    filesystem = MemoryFileSystem({"file": content})
    node = filesystem._nodes[1]
    filesystem._nodes[1] = replace(
        node, mtime=told.get("mtime", 0), mode=told.get("mode", node.mode), uid=told.get("uid", 0)
    )
    return Root([Mounted("", filesystem)])


@pytest.mark.parametrize(
    ("content", "told", "contents", "what"),
    [
        (b"12", {}, False, ("content",)),
        (b"2", {"mtime": 1}, False, ("content",)),
        (b"1", {"mtime": 1}, False, ("time",)),
        (b"2", {}, False, ()),  # nobody has a reason to look
        (b"2", {}, True, ("content",)),
        (b"1", {"mode": 0o600, "uid": 5}, False, ("mode", "owner")),
    ],
)
def test_what_changed_in_a_file(content: bytes, told: dict[str, int], contents: bool, what: tuple[str, ...]) -> None:
    result = found(with_file(b"1"), with_file(content, **told), contents=contents)
    assert [item.what for item in result] == ([what] if what else [])

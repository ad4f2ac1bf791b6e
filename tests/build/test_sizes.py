"""What takes the space: by folder, by owner, and between two trees."""

from jeos.build import sizes
from jeos.model.tree import Entry, Kind, Tree


def file(path: str, size: int, *, digest: str = "", hardlink: str = "") -> Entry:
    return Entry(path=path, kind=Kind.FILE, size=size, digest=digest or path, hardlink=hardlink)


TREE = Tree.of(
    [
        file("usr/bin/tool", 10),
        file("usr/lib/a/big", 100),
        file("usr/lib/b", 5),
        file("usr/lib/c", 5, hardlink="usr/lib/b"),
        file("usr/share/factory/var/lib/x", 7),
        Entry(path="usr/bin/link", kind=Kind.SYMLINK, target="tool"),
    ]
)


def test_by_folder_adds_up_each_level_once() -> None:
    assert sizes.by_folder(TREE, depth=2) == {"usr": 122, "usr/bin": 10, "usr/lib": 105, "usr/share": 7}


def test_by_owner_finds_what_the_factory_holds_under_its_own_path() -> None:
    owner = {"usr/bin/tool": "tool", "usr/lib/a/big": "lib", "var/lib/x": "lib"}
    assert sizes.by_owner(TREE, owner) == {"tool": (10, 1), "lib": (107, 2), "": (5, 1)}


def test_changes_are_sorted_by_how_much_they_matter() -> None:
    after = Tree.of([file("usr/bin/tool", 12, digest="new"), file("usr/lib/b", 5), file("usr/new", 1)])
    found = [(change.path, change.before, change.after, change.gain) for change in sizes.changes(TREE, after)]
    assert found == [
        ("usr/lib/a/big", 100, None, -100),
        ("usr/share/factory/var/lib/x", 7, None, -7),
        ("usr/lib/c", 5, None, -5),
        ("usr/bin/tool", 10, 12, 2),
        ("usr/new", None, 1, 1),
    ]

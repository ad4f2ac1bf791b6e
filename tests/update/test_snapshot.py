"""Copies of the data, and the way back through cuts at every step."""

import os
import stat
from pathlib import Path

import pytest

from jeos.update import snapshot
from jeos.update.errors import RoomError


class CutError(Exception):
    """The power fails."""


class Data:
    """A guest's data in a folder: /var/lib/app, /var/lib/late (not there yet), and the overlay of /etc."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.app = root / "var/lib/app"
        self.etc = root / "var/lib/jeos/etc"
        self.folder = root / "var/lib/jeos/update/snapshot"
        self.app.mkdir(parents=True)
        (self.etc / "upper").mkdir(parents=True)
        self.folder.parent.mkdir(parents=True)
        (self.app / "db").write_text("old")
        (self.app / "db").chmod(0o640)
        (self.app / "link").symlink_to("db")
        os.link(self.app / "db", self.app / "again")
        with (self.app / "sparse").open("wb") as file:
            file.truncate(1 << 20)
            file.seek(1 << 19)
            file.write(b"middle")
        os.utime(self.app, (1000, 2000))
        (self.etc / "upper/app.conf").write_text("old")

    def take(self) -> bool:
        places = {"folder": str(self.folder), "etc": str(self.etc), "root": str(self.root)}
        return snapshot.take(["/var/lib/app", "/var/lib/app/db", "/var/lib/late", "/etc/x"], label="new", **places)

    def restore(self) -> bool:
        return snapshot.restore(label="new", folder=str(self.folder), etc=str(self.etc), root=str(self.root))

    def spoil(self) -> None:
        """Do what a new release does to the data."""
        (self.app / "db").write_text("new and longer")
        (self.app / "extra").write_text("new")
        (self.app / "link").unlink()
        (self.root / "var/lib/late").mkdir()
        (self.etc / "upper/app.conf").write_text("new")

    def start(self) -> None:
        """Do what the initrd does with what changed in /etc."""
        if (self.etc / "upper.next").exists():
            (self.etc / "upper").rename(self.etc / f"upper.replaced-{os.urandom(2).hex()}")
            (self.etc / "upper.next").rename(self.etc / "upper")


def listing(folder: Path) -> list[tuple[str, int, int, int, bytes]]:
    """Return all that can be told of a tree; times of its own folder included."""
    found = []
    for path in [folder, *sorted(folder.rglob("*"))]:
        one = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(one.st_mode) else b""
        links = 0 if path.is_dir() else one.st_nlink
        found.append((str(path.relative_to(folder)), one.st_mode, int(one.st_mtime), links, content))
    return found


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_restore_brings_everything_back(data: Data) -> None:
    before = listing(data.app)
    assert data.take()
    copy = data.folder / "0/sparse"
    assert copy.stat().st_blocks * 512 < 1 << 19, "holes were filled"
    data.spoil()
    assert data.restore(), "what changed in /etc needs a start"
    data.start()
    assert listing(data.app) == before
    assert (data.etc / "upper/app.conf").read_text() == "old"
    assert not (data.root / "var/lib/late").exists()
    assert not data.restore() or not (data.etc / "upper.next").exists()


def test_take_keeps_a_complete_snapshot_of_the_same_release(data: Data) -> None:
    assert data.take()
    data.spoil()
    assert not data.take()
    data.restore()
    assert (data.app / "db").read_text() == "old"


def test_take_of_nothing_does_nothing(data: Data) -> None:
    assert not snapshot.take([], label="new", folder=str(data.folder), etc=str(data.etc))
    assert not data.folder.exists()


def test_restore_of_another_release_does_nothing(data: Data) -> None:
    data.take()
    data.spoil()
    assert not snapshot.restore(label="other", folder=str(data.folder), etc=str(data.etc), root=str(data.root))
    assert (data.app / "db").read_text() == "new and longer"


def test_take_without_room_says_so_and_leaves_the_data(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listing(data.app)
    monkeypatch.setattr(snapshot, "RESERVE", 1 << 60)
    with pytest.raises(RoomError, match="the snapshot of the data takes"):
        data.take()
    assert snapshot.label_of(str(data.folder)) == ""
    assert listing(data.app) == before


def test_drop_deletes_it_and_what_was_replaced(data: Data) -> None:
    data.take()
    data.restore()
    data.start()
    snapshot.drop(str(data.folder), str(data.etc))
    assert [path.name for path in data.etc.iterdir()] == ["upper"]
    assert not data.folder.exists()
    assert snapshot.label_of(str(data.folder)) == ""
    snapshot.drop(str(data.folder))


def cut_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the power fail before one of the next operations that change names."""
    left = [step]

    def failing(name: str) -> None:
        real = getattr(os, name)

        def operation(*arguments: object, **more: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise CutError
            return real(*arguments, **more)

        monkeypatch.setattr(os, name, operation)

    for name in ("rename", "mkdir", "symlink", "link", "utime"):
        failing(name)


@pytest.mark.parametrize("step", range(1, 26))
def test_take_and_restore_cut_at_any_step_are_done_by_the_next_start(
    data: Data, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before = listing(data.app)
    for work in (data.take, data.spoil, data.restore):
        with monkeypatch.context() as patched:
            if work != data.spoil:
                cut_at(patched, step)
            try:
                work()
            except CutError:
                patched.undo()
                data.start()
                work()
    data.start()
    assert listing(data.app) == before
    assert (data.etc / "upper/app.conf").read_text() == "old"
    assert not (data.root / "var/lib/late").exists()

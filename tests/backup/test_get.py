"""Files out of a machine's disks: into folders and archives, also where the disk is hostile."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.backup import get
from jeos.backup.walk import walk
from jeos.core.errors import InputError, UsageError
from jeos.disk.filesystems.base import MissingFileError, Node
from jeos.disk.root import Mounted, Root
from jeos.model.tree import Kind
from memory_filesystem import Content, Device, Link, MemoryFileSystem, memory_root

MACHINE = memory_root(
    {
        "etc/nginx/nginx.conf": "daemon off;\n",
        "etc/nginx/modules": Link("/usr/lib/nginx"),
        "etc/empty": b"",
        "etc/shadow-link": Link("../../../../etc/shadow"),
        "usr/bin/tool": b"\x7fELF" + bytes(200_000) + b"end",
        "dev/null": Device(Kind.CHARACTER, (1, 3)),
        "dev/pipe": Device(Kind.FIFO, (0, 0)),
        "dev/log": Device(Kind.SOCKET, (0, 0)),
        "boot": None,
    },
    {"boot": {"vmlinuz": b"kernel"}},
)


def seen(folder: Path) -> dict[str, bytes | str | None]:
    """Return what is below a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def test_folder_comes_out_under_its_own_name(tmp_path: Path) -> None:
    got = get.into_folder(MACHINE, ["etc/nginx", "/boot"], tmp_path)
    assert seen(tmp_path) == {
        "boot": None,
        "boot/vmlinuz": b"kernel",
        "nginx": None,
        "nginx/modules": "/usr/lib/nginx",
        "nginx/nginx.conf": b"daemon off;\n",
    }
    assert (got.files, got.bytes, got.notes, got.failures) == (5, 18, [], [])


def test_large_holes_stay_holes(tmp_path: Path) -> None:
    machine = memory_root({"hole": bytes(8 << 20) + b"end"})
    get.into_folder(machine, ["hole"], tmp_path)
    assert (tmp_path / "hole").read_bytes() == bytes(8 << 20) + b"end"
    assert (tmp_path / "hole").stat().st_blocks * 512 < 1 << 20


def test_everything_comes_out_but_devices(tmp_path: Path) -> None:
    got = get.into_folder(MACHINE, ["/"], tmp_path)
    assert got.failures == []
    assert [note.partition(" is")[0] for note in got.notes] == ["/dev/log", "/dev/null", "/dev/pipe"]
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["boot", "dev", "etc", "usr"]


def test_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nginx").symlink_to("/nowhere")
    with pytest.raises(UsageError, match="there already"):
        get.into_folder(MACHINE, ["etc/empty", "etc/nginx"], tmp_path)
    with pytest.raises(UsageError, match="there already"):
        get.into_folder(MACHINE, ["etc/empty", "etc/empty"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["nginx"]


def test_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        get.into_folder(MACHINE, ["etc/nginx", "etc/apache"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_modes_lose_what_would_run_as_another_user(tmp_path: Path) -> None:
    filesystem = MemoryFileSystem({"su": b"x", "tmp/file": b"", "closed/file": b""})
    filesystem.chmod("su", 0o4755)
    filesystem.chmod("tmp", 0o1777)
    filesystem.chmod("closed", 0o500)
    get.into_folder(Root([Mounted("", filesystem)]), ["su", "tmp", "closed"], tmp_path)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.iterdir()}
    assert modes == {"su": 0o755, "tmp": 0o777, "closed": 0o500}


class Hostile(MemoryFileSystem):
    """A file system whose folders have the names that they are told, one more than once."""

    def __init__(self, files: dict[str, Content], more: list[tuple[str, Content]]) -> None:
        super().__init__(files)
        self.more = [(name, self._nodes[self._make(content) - 1]) for name, content in more]

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        yield from super().children(folder)
        if folder.number == 1:
            yield from self.more


@pytest.mark.parametrize("name", ["..", ".", "", "../escaped", "/etc/escaped", "a/../../escaped", "a\0b"])
def test_names_that_lead_out_are_left_out(name: str, tmp_path: Path) -> None:
    machine = Root([Mounted("", Hostile({"good": b"1"}, [(name, b"bad")]))])
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    got = get.into_folder(machine, ["/"], inner)
    assert seen(tmp_path) == {"a": None, "a/b": None, "a/b/root": None, "a/b/root/good": b"1"}
    assert len(got.failures) == 1
    with tarfile.open(fileobj=archived(machine, "/")) as archive:
        assert archive.getnames() == [".", "good"]


def test_files_are_not_written_through_a_link_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever `walk` yields: here a link, then a file below its name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    filesystem = MemoryFileSystem({"link": Link(str(outside)), "file": b"bad"})
    root = Root([Mounted("", filesystem)])
    items = {item.path: item for item in walk(root, "", notes=[])}
    made_up = [items[""], replace(items["link"], path="x"), replace(items["file"], path="x/file")]
    made_up.append(replace(items["file"], path="x"))
    monkeypatch.setattr(get, "walk", lambda *words, **more: iter(made_up))
    target = tmp_path / "target"
    target.mkdir()
    got = get.into_folder(root, [""], target)
    assert list(outside.iterdir()) == []
    assert seen(target) == {"root": None, "root/x": str(outside)}
    assert got.failures == ["/x comes twice: the first one is kept"]


class Looping(MemoryFileSystem):
    """A folder within itself."""

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        yield from super().children(folder)
        if folder.number != 1:
            yield "again", folder
            yield "once more", folder


def test_folder_within_itself_ends(tmp_path: Path) -> None:
    machine = Root([Mounted("", Looping({"a/b": b"1"}))])
    got = get.into_folder(machine, ["a"], tmp_path)
    assert seen(tmp_path) == {"a": None, "a/b": b"1"}
    assert len(got.failures) == 2


class Unreadable(MemoryFileSystem):
    """One file cannot be read, and one folder neither."""

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        if node.size == 3:
            raise InputError("its extents are damaged")
        return super().read(node, offset=offset, length=length)

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        for name, node in super().children(folder):
            if name == "trap":
                raise InputError("its blocks are damaged")
            yield name, node


def test_what_cannot_be_read_is_said_and_the_rest_comes_out(tmp_path: Path) -> None:
    machine = Root([Mounted("", Unreadable({"a/bad": b"123", "a/good": b"12", "b/trap": b"", "c": b"1"}))])
    got = get.into_folder(machine, ["/"], tmp_path)
    assert seen(tmp_path / "root") == {"a": None, "a/good": b"12", "b": None, "c": b"1"}
    assert got.failures == [
        "/a/bad cannot be read: its extents are damaged",
        "/b cannot be read: its blocks are damaged",
    ]


def archived(machine: Root, *paths: str) -> io.BytesIO:
    file = io.BytesIO()
    get.into_tar(machine, paths, file)
    return io.BytesIO(file.getvalue())


def test_archive_keeps_owners_modes_devices_and_links() -> None:
    filesystem = MemoryFileSystem({"a/one": b"12345", "a/null": Device(Kind.CHARACTER, (1, 3)), "a/link": Link("one")})
    nodes = filesystem._nodes
    folder, one = filesystem._folders[1]["a"], filesystem._folders[2]["one"]
    nodes[one - 1] = replace(nodes[one - 1], mode=0o4750, uid=33, gid=44, mtime=1_700_000_000, links=2)
    filesystem._folders[folder]["two"] = one
    with tarfile.open(fileobj=archived(Root([Mounted("", filesystem)]), "a")) as archive:
        members = {member.name: member for member in archive}
        content = archive.extractfile("a/one")
        assert content is not None and content.read() == b"12345"
    facts = {
        name: (found.type, found.mode, found.uid, found.gid, found.linkname, found.devmajor, found.devminor)
        for name, found in members.items()
    }
    assert facts == {
        "a": (tarfile.DIRTYPE, 0o755, 0, 0, "", 0, 0),
        "a/link": (tarfile.SYMTYPE, 0o777, 0, 0, "one", 0, 0),
        "a/null": (tarfile.CHRTYPE, 0o644, 0, 0, "", 1, 3),
        "a/one": (tarfile.REGTYPE, 0o4750, 33, 44, "", 0, 0),
        "a/two": (tarfile.LNKTYPE, 0o4750, 33, 44, "a/one", 0, 0),
    }
    assert members["a/one"].mtime == 1_700_000_000


def test_archive_is_read_by_tar(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(archived(MACHINE, "etc", "usr").getvalue())
    os.system(f"cd {tmp_path} && tar xf x.tar")
    assert (tmp_path / "usr/bin/tool").read_bytes() == b"\x7fELF" + bytes(200_000) + b"end"
    assert os.readlink(tmp_path / "etc/nginx/modules") == "/usr/lib/nginx"


def test_archive_of_names_that_are_no_text_comes_back() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    with tarfile.open(fileobj=archived(memory_root({f"a/{name}": b"1"}), "a")) as archive:
        assert archive.getnames() == ["a", f"a/{name}"]

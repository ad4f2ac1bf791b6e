import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

from jeos.build.archive import Member
from jeos.build.unpack import NOTHING, Package, Skip, Unpacked, unpack, unpack_all
from jeos.model.tree import Kind
from jeos.store.caches import CacheFolder
from tiny_debs import make_deb, member, raw_deb, tar


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what is in a folder, without the times of folders, which dpkg-deb gets wrong."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        time = None if path.is_dir() and not path.is_symlink() else status.st_mtime
        found[str(path.relative_to(folder))] = (oct(status.st_mode), status.st_uid, time, content)
    return found


def test_unpack_equals_dpkg_deb(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path,
        "sample",
        files={"usr/bin/tool": "#!/bin/sh\n", "usr/share/data": "d" * 3_000_000, "etc/tool.conf": ""},
        links={"usr/lib/tool": "../bin/tool", "etc/absolute": "/usr/share/data"},
        folders=("var/lib/tool",),
        compression="xz",
    )
    (tmp_path / "ours").mkdir()
    unpack(deb, into=tmp_path / "ours")
    subprocess.run(["dpkg-deb", "--extract", str(deb), str(tmp_path / "theirs")], check=True)
    assert listing(tmp_path / "ours/data") == listing(tmp_path / "theirs")


def test_members_are_those_of_the_package(tmp_path: Path) -> None:
    data = tar(
        member("./", kind=tarfile.DIRTYPE), member("./a", b"12"), member("./b", kind=tarfile.LNKTYPE, target="./a")
    )
    (tmp_path / "into").mkdir()
    unpacked = unpack(raw_deb(tmp_path / "x.deb", data), into=tmp_path / "into")
    assert Unpacked(unpacked.folder).members == (
        Member("", Kind.DIRECTORY, 0o755, 0, 0, 0, 0),
        Member("a", Kind.FILE, 0o644, 0, 0, 0, 2),
        Member("b", Kind.FILE, 0o644, 0, 0, 0, 0, "a", True),
    )
    assert (unpacked.data / "a").stat().st_ino == (unpacked.data / "b").stat().st_ino


def test_checksums_are_made_where_a_package_brings_none(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    unpacked = unpack(make_deb(tmp_path, "bare", files={"usr/x": "one", "usr/y": "two"}), into=tmp_path / "into")
    expected = [f"{hashlib.md5(text).hexdigest()}  usr/{name}" for name, text in (("x", b"one"), ("y", b"two"))]
    assert sorted(unpacked.lines("md5sums")) == sorted(expected)


def test_skipped_files_are_known_but_not_there(tmp_path: Path) -> None:
    files = {"usr/share/man/man1/x.1": "manual", "usr/share/doc/x/copyright": "law", "usr/share/doc/x/news": "12345"}
    (tmp_path / "into").mkdir()
    skip = Skip(("usr/share/man", "usr/share/doc"), ("usr/share/doc/*/copyright",))
    unpacked = unpack(make_deb(tmp_path, "x", files=files), into=tmp_path / "into", skip=skip)
    assert unpacked.skipped == {"usr/share/doc/x/news": 5, "usr/share/man/man1/x.1": 6}
    assert sorted(path.name for path in unpacked.data.rglob("*") if path.is_file()) == ["copyright"]
    assert (unpacked.data / "usr/share/man/man1").is_dir()


def test_nothing_is_skipped_if_something_else_is_a_hard_link_to_it(tmp_path: Path) -> None:
    folders = [member(name, kind=tarfile.DIRTYPE) for name in ("./doc", "./bin")]
    data = tar(
        *folders,
        member("./doc/x", b"1"),
        member("./doc/y", b"2"),
        member("./bin/x", kind=tarfile.LNKTYPE, target="./doc/x"),
    )
    (tmp_path / "into").mkdir()
    unpacked = unpack(raw_deb(tmp_path / "x.deb", data), into=tmp_path / "into", skip=Skip(("doc",)))
    assert unpacked.skipped == {}
    assert sorted(path.name for path in unpacked.data.rglob("*")) == ["bin", "doc", "x", "x", "y"]


def test_each_package_is_unpacked_once(tmp_path: Path) -> None:
    packages = []
    for name in ("one", "two", "three"):
        deb = make_deb(tmp_path, name, files={f"usr/{name}": name})
        packages.append(Package(deb, hashlib.sha256(deb.read_bytes()).hexdigest()))
    cache = CacheFolder(tmp_path / "cache")
    first = unpack_all(packages, cache)
    inodes = [os.stat(one.data / "usr" / one.name).st_ino for one in first]
    again = unpack_all(packages[::-1], cache)
    assert [one.name for one in first] == ["one", "two", "three"]
    assert [one.name for one in again] == ["three", "two", "one"]
    assert [os.stat(one.data / "usr" / one.name).st_ino for one in again] == inodes[::-1]


def test_other_rules_give_another_folder(tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "x", files={"doc/x": "1"})
    package = Package(deb, hashlib.sha256(deb.read_bytes()).hexdigest())
    cache = CacheFolder(tmp_path / "cache")
    (whole,), (part,) = (unpack_all([package], cache, skip=skip) for skip in (NOTHING, Skip(("doc",))))
    assert ((whole.data / "doc/x").exists(), (part.data / "doc/x").exists()) == (True, False)

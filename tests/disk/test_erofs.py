"""Images of the EROFS writer, judged by our reader, by fsck.erofs and by the kernel."""

import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from erofs_trees import TIME, UUID, Maker, Sample, everything, samples
from jeos.core.errors import InputError
from jeos.disk import erofs, erofs_layout
from jeos.disk.erofs_format import BLOCK
from jeos.disk.erofs_reader import Filesystem
from jeos.model.tree import Entry, Kind, Tree

MODEST = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def image_of(sample: Sample, *, label: str = "root") -> bytes:
    out = io.BytesIO()
    length = erofs.write(sample.tree, out, read=sample.read, uuid=UUID, time=TIME, label=label)
    assert length == len(out.getvalue())
    assert length % BLOCK == 0
    return out.getvalue()


def fsck(image: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["fsck.erofs", *more, image], capture_output=True, text=True, timeout=60)


def test_image_of_everything_is_read_back_whole() -> None:
    sample = everything()
    filesystem = Filesystem(io.BytesIO(image_of(sample)))
    assert filesystem.tree(digests=True) == sample.tree
    assert (filesystem.uuid, filesystem.label, filesystem.superblock.time) == (UUID, "root", TIME)


def test_image_of_everything_passes_fsck_and_extracts_with_its_contents(tmp_path: Path) -> None:
    sample = everything()
    image = tmp_path / "image"
    image.write_bytes(image_of(sample))
    done = fsck(image, f"--extract={tmp_path / 'out'}", "--no-preserve")
    assert done.returncode == 0, done.stdout + done.stderr
    for entry in sample.tree:
        place = tmp_path / "out" / entry.path
        if entry.kind is Kind.FILE:
            assert place.read_bytes() == sample.read(entry), entry.path
        elif entry.kind is Kind.SYMLINK:
            assert os.readlink(place) == entry.target


@MODEST
@given(samples())
def test_any_tree_is_read_back_whole_and_passes_fsck(sample: Sample) -> None:
    image = image_of(sample)
    assert Filesystem(io.BytesIO(image)).tree(digests=True) == sample.tree
    assert_passes_fsck(image)


def assert_passes_fsck(image: bytes) -> None:
    memory = os.memfd_create("image")
    try:
        os.write(memory, image)
        done = subprocess.run(["fsck.erofs", f"/dev/fd/{memory}"], capture_output=True, pass_fds=(memory,), timeout=60)
        assert done.returncode == 0, done.stderr
    finally:
        os.close(memory)


@pytest.mark.parametrize("count", [1, 250, 2000])
@pytest.mark.parametrize("length", [1, 60, 255])
def test_directory_of_any_size_is_read_back_whole(count: int, length: int) -> None:
    make = Maker()
    make.add("d", Kind.DIRECTORY)
    for number in range(count):
        make.add(f"d/{number:05}".ljust(length + 2, "x"), Kind.FIFO)
    sample = make.sample()
    image = image_of(sample)
    assert Filesystem(io.BytesIO(image)).tree() == sample.tree
    assert_passes_fsck(image)


KERNELS_VIEW = """
import hashlib, json, os, subprocess, sys
image, where = sys.argv[1:]
subprocess.run(["mount", "-t", "erofs", "-o", "loop,ro", image, where], check=True)
found = {}
for folder, folders, others in os.walk(os.fsencode(where), onerror=lambda error: sys.exit(str(error))):
    for place in [folder, *(os.path.join(folder, name) for name in others)]:
        status = os.lstat(place)
        regular, link = (status.st_mode & 0o170000 == kind for kind in (0o100000, 0o120000))
        names = sorted(os.listxattr(place, follow_symlinks=False))
        found[os.fsdecode(os.path.relpath(place, os.fsencode(where)))] = [
            status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_nlink, status.st_ino,
            status.st_size if regular or link else 0, os.major(status.st_rdev), os.minor(status.st_rdev),
            os.fsdecode(os.readlink(place)) if link else "",
            hashlib.sha256(open(place, "rb").read()).hexdigest() if regular else "",
            [[name, os.getxattr(place, name, follow_symlinks=False).hex()] for name in names],
        ]
json.dump(found, sys.stdout)
"""
TYPES = {
    Kind.FILE: 0o100000,
    Kind.DIRECTORY: 0o040000,
    Kind.SYMLINK: 0o120000,
    Kind.CHARACTER: 0o020000,
    Kind.BLOCK: 0o060000,
    Kind.FIFO: 0o010000,
    Kind.SOCKET: 0o140000,
}


def kernels_view(image: Path, where: Path) -> dict[str, list[object]]:
    """Return what the kernel shows of an image, mounted where only a child process sees it."""
    where.mkdir()
    python = [sys.executable, "-c", KERNELS_VIEW, str(image), str(where)]
    command = ["unshare", "--mount", "--propagation=private", *python]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def wanted_view(tree: Tree, inodes: dict[str, object]) -> dict[str, list[object]]:
    """Return what the kernel should show; `inodes` are its numbers, which must be equal for hard links only."""
    assert len(set(inodes.values())) == len([entry for entry in tree if not entry.hardlink])
    links = {entry.path: 0 for entry in tree}
    for entry in tree:
        links[entry.hardlink or entry.path] += 1
        if entry.kind is Kind.DIRECTORY:
            links[entry.path] += 1
            if entry.path:
                links[entry.parent] += 1
    return {
        entry.path or ".": [
            *(TYPES[entry.kind] | entry.mode, entry.uid, entry.gid, entry.mtime * 10**9),
            *(links[entry.hardlink or entry.path], inodes[entry.hardlink or entry.path or "."]),
            *(entry.size or len(os.fsencode(entry.target)), *entry.device, entry.target, entry.digest),
            [[name, value.hex()] for name, value in entry.xattrs],
        ]
        for entry in tree
    }


def assert_kernel_agrees(sample: Sample, folder: Path) -> None:
    image = folder / "image"
    image.write_bytes(image_of(sample))
    found = kernels_view(image, folder / "mounted")
    assert found == wanted_view(sample.tree, {path: values[5] for path, values in found.items()})


@pytest.mark.root
def test_kernel_shows_everything_as_it_was_asked_for(tmp_path: Path) -> None:
    assert_kernel_agrees(everything(), tmp_path)


@pytest.mark.root
def test_kernel_finds_every_name_by_lookup_in_a_large_directory(tmp_path: Path) -> None:
    make = Maker()
    for number in range(4000):
        make.file(f"{number * 7919 % 4000:x}" * (1 + number % 60), b"%d" % number)
    assert_kernel_agrees(make.sample(), tmp_path)


def test_same_tree_in_another_order_gives_the_same_bytes() -> None:
    sample = everything()
    entries = sample.tree.entries
    shuffled = Sample(tree=Tree.of(entries[1::2] + entries[::-2]), contents=sample.contents)
    unsorted = Sample(tree=Tree(entries[:1] + entries[:0:-1]), contents=sample.contents)
    assert image_of(shuffled) == image_of(sample) == image_of(unsorted)


def test_image_of_a_fixed_tree_is_the_one_that_was_released() -> None:
    # Root hashes in the field depend on the layout: whoever changes it on purpose records the new digest here.
    assert (
        hashlib.sha256(image_of(everything())).hexdigest()
        == "a2e90d647502af57889d1ae18697fec61de09661afe026da6929ca3dce07bb8f"
    )


def test_image_from_files_equals_image_from_bytes(tmp_path: Path) -> None:
    sample = everything()
    for digest, content in sample.contents.items():
        (tmp_path / digest).write_bytes(content)
    with (tmp_path / "image").open("wb") as out:
        erofs.write(sample.tree, out, read=lambda entry: tmp_path / entry.digest, uuid=UUID, time=TIME, label="root")
    assert (tmp_path / "image").read_bytes() == image_of(sample)


def test_image_goes_through_a_pipe(tmp_path: Path) -> None:
    sample = everything()
    with (tmp_path / "image").open("wb") as file:
        cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file)
        assert cat.stdin
        with cat.stdin:
            erofs.write(sample.tree, cat.stdin, read=sample.read, uuid=UUID, time=TIME, label="root")  # type: ignore[arg-type]
        assert cat.wait(timeout=60) == 0
    assert (tmp_path / "image").read_bytes() == image_of(sample)


def test_large_files_begin_on_blocks_and_equal_ones_share_theirs() -> None:
    make = Maker()
    make.file("a", b"a" * 5000)
    make.file("b", b"b" * 4096)
    make.file("c", b"a" * 5000, uid=7)
    make.file("small", b"s" * erofs_layout.INLINE_FILE)
    sample = make.sample()
    layout = erofs_layout.plan(sample.tree, time=TIME)
    image = image_of(sample)
    first = layout.data_start // BLOCK
    assert {path: (inode.block, inode.inline) for path, inode in layout.inodes.items()} == {
        "": (0, True),
        "a": (first, False),
        "b": (first + 2, False),
        "c": (first, False),
        "small": (0, True),
    }
    assert image[layout.data_start :] == b"a" * 5000 + bytes(3192) + b"b" * 4096


def test_unchanged_file_keeps_its_blocks_when_another_grows() -> None:
    make = Maker()
    make.file("a", b"old" * 2000)
    make.file("b", b"same" * 5000)
    make.file("etc", b"x")
    before = image_of(make.sample())
    make.file("a", b"new" * 9000)
    make.file("etc2", b"y" * 300)
    after = image_of(make.sample())
    blocks = [after[start : start + BLOCK] for start in range(0, len(after), BLOCK)]
    same = b"same" * 5000
    start = before.index(same)
    assert start % BLOCK == 0
    for offset in range(start, start + len(same), BLOCK):
        assert before[offset : offset + BLOCK] in blocks


def test_file_of_more_than_4_gib_takes_a_large_inode() -> None:
    huge = Entry(path="huge", kind=Kind.FILE, mtime=TIME, size=(1 << 32) + 1, digest="00")
    behind = Entry(path="z", kind=Kind.FILE, mtime=TIME, size=BLOCK, digest="01")
    layout = erofs_layout.plan(Tree.of([huge, behind]), time=0)
    small = erofs_layout.plan(Tree.of([replace(huge, size=(1 << 32) - 1), behind]), time=TIME)
    first = layout.data_start // BLOCK
    assert layout.inodes["huge"].extended
    assert not small.inodes["huge"].extended
    assert layout.inodes["z"].block == first + (1 << 20) + 1
    assert layout.size == (first + (1 << 20) + 2) * BLOCK


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([Entry("a/b", Kind.FILE)], "/a/b is in the tree, but /a is not a directory there"),
        ([Entry("a", Kind.FILE), Entry("a/b", Kind.FILE)], "/a/b is in the tree, but /a is not a directory there"),
        ([Entry("a", Kind.FILE, hardlink="b")], "/a is a hard link to /b, which is no file of its own"),
        (
            [Entry("a", Kind.DIRECTORY), Entry("b", Kind.DIRECTORY, hardlink="a")],
            "/b is a hard link to /a, which is no directory of its own",
        ),
        (
            [Entry("a", Kind.FILE), Entry("b", Kind.FILE, hardlink="a"), Entry("c", Kind.FILE, hardlink="b")],
            "/c is a hard link to /b, which is no file of its own",
        ),
        ([Entry("..", Kind.DIRECTORY)], "'..' in / is no name for a file"),
        ([Entry("n" * 256, Kind.FILE)], f"'{'n' * 256}' in / is no name for a file"),
        ([Entry("a\0", Kind.FILE)], "'a\\x00' in / is no name for a file"),
        ([Entry("l", Kind.SYMLINK)], "/l is a symbolic link with an impossible target of 0 bytes"),
        (
            [Entry("l", Kind.SYMLINK, target="t" * 4096)],
            "/l is a symbolic link with an impossible target of 4096 bytes",
        ),
        ([Entry("d", Kind.BLOCK, device=(4096, 0))], "/d is device 4096:0, a number that Linux cannot store"),
        ([Entry("f", Kind.FILE, mode=0o100644)], "/f has mode 100644 and size 0, which no file can have"),
        (
            [Entry("f", Kind.FILE, xattrs=(("system.nfs4_acl", b""),))],
            "/f has the extended attribute 'system.nfs4_acl', for which EROFS has no name space",
        ),
        (
            [Entry("f", Kind.FILE, xattrs=(("user.big", bytes(65536)),))],
            "/f has the extended attribute 'user.big', which is too long",
        ),
        ([Entry("", Kind.FILE)], "the tree has no root directory"),
    ],
)
def test_tree_that_is_none_is_refused(entries: list[Entry], message: str) -> None:
    with pytest.raises(InputError) as caught:
        erofs_layout.plan(Tree.of(entries), time=TIME)
    assert str(caught.value) == message


def test_path_twice_is_refused() -> None:
    root, one = Entry("", Kind.DIRECTORY), Entry("a", Kind.FILE)
    with pytest.raises(InputError) as caught:
        erofs_layout.plan(Tree((root, one, one)), time=TIME)
    assert str(caught.value) == "/a is in the tree twice"


def test_attributes_of_more_than_256_kib_are_refused() -> None:
    xattrs = tuple((f"user.{number}", bytes([number]) * 65000) for number in range(5))
    with pytest.raises(InputError, match="more than EROFS can hold"):
        erofs_layout.plan(Tree.of([Entry("f", Kind.FILE, xattrs=xattrs)]), time=TIME)


@pytest.mark.parametrize("size", [10, 5000], ids=["inline", "blocks"])
@pytest.mark.parametrize("there", [-1, 1], ids=["short", "long"])
def test_file_of_another_size_than_the_tree_says_is_refused(size: int, there: int) -> None:
    tree = Tree.of([Entry("f", Kind.FILE, size=size, digest="00")])
    with pytest.raises(InputError) as caught:
        erofs.write(tree, io.BytesIO(), read=lambda entry: bytes(size + there), uuid=UUID, time=TIME)
    assert str(caught.value) == (
        f"the content of /f does not have the {size} bytes that its tree says\n"
        "hint: the file changed after it was scanned, or the cache is damaged: build again"
    )


def test_label_of_more_than_15_bytes_is_refused() -> None:
    assert Filesystem(io.BytesIO(image_of(Maker().sample(), label="l" * 15))).label == "l" * 15
    with pytest.raises(InputError, match="longer than 15 bytes"):
        image_of(Maker().sample(), label="l" * 16)

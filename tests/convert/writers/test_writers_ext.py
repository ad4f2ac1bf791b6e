"""What ext2, ext3 and ext4 have beyond names and contents: attributes, journals, damage."""

from pathlib import Path

import pytest

from jeos.convert.writers import ext
from jeos.convert.writers.base import Edit, Folder, Place, Put, Symlink
from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk.blocks import File
from jeos.disk.filesystems import base
from jeos.disk.filesystems.detect import open_filesystem

MEBIBYTE = 1 << 20
LABEL = "system_u:object_r:etc_t:s0"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a file system with SELinux's labels, as that of a Red Hat machine."""
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/fstab").write_text("/dev/sda1 / ext4\n")
    image = tmp_path / "image"
    run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, "16m"])
    debugfs(image, f'ea_set /etc security.selinux "{LABEL}"', write=True)
    debugfs(image, 'ea_set /etc/fstab security.selinux "system_u:object_r:fstab_t:s0"', write=True)
    debugfs(image, "ea_set /etc/fstab user.note kept", write=True)
    debugfs(image, "ea_set /etc user.note not-for-others", write=True)
    return Place(image, offset=0, size=16 * MEBIBYTE)


def debugfs(image: Path, command: str, *, write: bool = False) -> str:
    return run(["debugfs", *(["-w"] if write else []), "-R", command, image]).text


def attributes(image: Path, path: str) -> dict[str, str]:
    found = {}
    for line in debugfs(image, f"ea_list {path}").splitlines()[1:]:
        name = line.split()[0]
        found[name] = debugfs(image, f"ea_get {path} {name}").partition(" = ")[2].strip('"')
    return found


def test_labels_stay_and_new_files_get_their_folders(place: Place) -> None:
    edits: list[Edit] = [
        Put("etc/fstab", b"UUID=1 / ext4\n", exists=True),
        Put("etc/new", b"x"),
        Folder("etc/systemd"),
        Folder("etc/systemd/network"),
        Put("etc/systemd/network/10.link", b"x"),
        Symlink("etc/link", "new"),
        Put("top", b"x"),
    ]
    ext.edit(place, edits, kind="ext4")
    assert attributes(place.path, "/etc/fstab") == {
        "security.selinux": "system_u:object_r:fstab_t:s0",
        "user.note": "kept",
    }
    label = {"security.selinux": LABEL}
    new = ("/etc/new", "/etc/systemd", "/etc/systemd/network", "/etc/systemd/network/10.link", "/etc/link")
    assert {path: attributes(place.path, path) for path in new} == dict.fromkeys(new, label)
    assert attributes(place.path, "/top") == {}


def test_journal_is_replayed(place: Place, tmp_path: Path) -> None:
    """A machine whose power was cut has in its journal what its files are to be."""
    found = debugfs(place.path, "blocks /etc/fstab").split()
    block = tmp_path / "block"
    block.write_bytes(b"from the journal\n".ljust(1024, b"#"))
    size = int(debugfs(place.path, "stats -h").partition("Block size:")[2].split()[0])
    block.write_bytes(block.read_bytes().ljust(size, b"#"))
    script = tmp_path / "script"
    script.write_text(f"journal_open\njournal_write -b {found[0]} {block}\njournal_close\n")
    run(["debugfs", "-w", "-f", script, place.path])
    assert "needs_recovery" in debugfs(place.path, "features")
    ext.settle(place, kind="ext4")
    assert "needs_recovery" not in debugfs(place.path, "features")
    with File(place.path) as disk:
        content = base.read_file(open_filesystem(disk), "etc/fstab")
    assert content == b"from the journal\n"


def test_damage_is_said(place: Place) -> None:
    with place.path.open("r+b") as disk:  # a link count and block pointers of nothing, all over the inodes
        table = int(run(["dumpe2fs", place.path]).text.partition("Inode table at ")[2].partition("-")[0])
        size = int(debugfs(place.path, "stats -h").partition("Block size:")[2].split()[0])
        disk.seek(table * size + 11 * 256)
        disk.write(b"\xa5" * 512)
    with pytest.raises(InputError, match="the file system has errors"):
        ext.edit(place, [Put("new", b"x")], kind="ext4")


def test_quotation_marks_stay_within_a_name(place: Place) -> None:
    name = 'etc/a "b" c'
    ext.edit(place, [Put(name, b"x")], kind="ext4")
    with File(place.path) as disk:
        assert base.read_file(open_filesystem(disk), name) == b"x"

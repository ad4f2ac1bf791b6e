"""A built machine that sees folders of its host: both sides see what the other writes, and nothing else is reached."""

import json
from pathlib import Path

import pytest

from jeos.vm import share
from jeos_command import Jeos, write_recipe
from machine_use import BOOT, inside
from soak import LONG

pytestmark = [pytest.mark.network, pytest.mark.vm]
START = ("--name", "sharer", "--accel", "tcg", "--detach", "--wait", "healthy", "--timeout", str(BOOT))


def check(jeos: Jeos, tiny: Path, folder: Path, *, kind: str) -> None:
    """Start a machine with two folders, use them from both sides, and start it once more."""
    work, only = folder / "a:b, c", folder / "only"
    for path in (work, only):
        path.mkdir()
        (path / "from-host").write_text("host")
    (work / "out").symlink_to("/etc/hostname")
    try:
        jeos.run("run", tiny, *START, "--share", f"{work}:/mnt", "--share", f"{only}:/var/only:ro")
        (seen,) = json.loads(jeos.run("ls", "--json").stdout)
        assert seen["state"]["sharing"].startswith(kind)
        told = "cat /mnt/from-host; printf guest > /mnt/from-guest; cat /mnt/out; cat /var/only/from-host"
        assert inside(jeos, "sharer", "sh", "-c", told) == f"host{inside(jeos, 'sharer', 'cat', '/etc/hostname')}\nhost"
        assert (work / "from-guest").read_text() == "guest"
        # What the guest thinks of the second folder is its own matter; that it cannot be written to is not.
        attempts = (
            "mount -o remount,rw /var/only; cd /var/only; rm -f from-host; echo x > from-host; touch new; mkdir new"
        )
        inside(jeos, "sharer", "sh", "-c", f"({attempts}) 2>/dev/null; true")
        assert {path.name: path.read_text() for path in only.iterdir()} == {"from-host": "host"}
        inside(jeos, "sharer", "sh", "-c", "mknod /mnt/device b 254 0 2>/dev/null; true")
        assert not (work / "device").is_block_device()
        refused = jeos.run("save", "sharer", status=9)
        assert "sees folders of this host" in refused.stderr
        jeos.run("stop", "sharer")
        (work / "from-host").write_text("again")
        jeos.run("run", "sharer", *START[2:])
        assert inside(jeos, "sharer", "cat", "/mnt/from-host") == "again"
        jeos.run("stop", "sharer", "--force")
    finally:
        jeos.run("rm", "--force", "sharer")


@pytest.mark.skipif(share.choose().kind != share.VIRTIOFS, reason=str(share.choose()))
def test_folders_by_virtiofs(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    check(jeos, tiny, tmp_path, kind=share.VIRTIOFS)


@LONG
def test_folders_by_qemu_itself(jeos: Jeos, tmp_path: Path) -> None:
    generic = write_recipe(tmp_path / "generic", '[kernel]\nflavour = "generic"\n')  # the other has no 9p
    jeos.build(generic)
    check(jeos.having(JEOS_SHARING="9p"), generic, tmp_path, kind="9p")

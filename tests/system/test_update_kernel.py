"""A machine that gets another kernel: as a patch, within the memory that there is for it, on the real boot path."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.build import load, locked, resolve, sources
from jeos.build.apt import AptRoot
from jeos.channel.serve import serving
from jeos.model.lock import Lock, Role
from jeos_command import Jeos
from machine_use import BOOT, free_port, inside
from qemu_door import PLAIN_CPU, QemuDoor
from update_vendor import Vendor

pytestmark = [pytest.mark.network, pytest.mark.vm, pytest.mark.timeout(1800)]

NAME = "kernels"
SUITE = "bookworm"  # whose kernels are packed such that a guest can pack them again
MOST_MEMORY = 110_000_000 >> 20  # MiB that a pass may take while a kernel is patched


@pytest.fixture(scope="module")
def vendor(jeos: Jeos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """A vendor whose release 1 has the oldest kernel of its series that the mirror has, 2 the newest."""
    found = Vendor.make(jeos, tmp_path_factory.mktemp("kernels") / "vendor", port=free_port(), suite=SUITE)
    recipe = found.write("1")
    jeos.run("lock", found.folder)
    locked.write(with_oldest_kernel(recipe, lock_of(recipe), cache=jeos.cache), folder=found.folder)
    found.build("1")
    found.publish("1")
    found.write("2")
    jeos.run("lock", "--upgrade", found.folder)
    found.build("2")
    found.publish("2")
    yield found


def lock_of(recipe: Path) -> Lock:
    found = locked.state(load.load(recipe), folder=recipe.parent).lock
    assert found is not None
    return found


def kernel_of(lock: Lock) -> str:
    """Return the release of a lock's kernel, as `uname -r` tells it."""
    return lock.having(Role.KERNEL)[0].name.removeprefix("linux-image-")


def with_oldest_kernel(recipe: Path, lock: Lock, *, cache: Path) -> Lock:
    """Return a lock with nothing but another kernel. The test is skipped where the mirror has one only."""
    [kernel] = lock.having(Role.KERNEL)
    known = load.load(recipe)
    series = re.sub(r"\d+", r"\\d+", re.escape(kernel.name))
    with AptRoot(sources.repositories(known, folder=recipe.parent), cache=cache).opened() as apt:
        names = [name for name in apt.names() if re.fullmatch(series, name)]
        stanzas = [one for one in apt.show(names) if one["package"] != kernel.name]
    if not stanzas:
        pytest.skip(f"the mirror has no kernel of the series but {kernel.name}")
    oldest = min(stanzas, key=lambda one: [int(number) for number in re.findall(r"\d+", one["package"])])
    wanted = replace(kernel, name=oldest["package"], version=oldest["version"])
    keep = replace(lock, packages=tuple(wanted if one is kernel else one for one in lock.packages))
    return resolve.resolve(known, folder=recipe.parent, cache=cache, keep=keep)


def test_machine_gets_a_new_kernel_as_a_patch_within_its_memory(jeos: Jeos, vendor: Vendor, tmp_path: Path) -> None:
    door = QemuDoor.make(tmp_path / "door", jeos).jeos(more=PLAIN_CPU)
    words = ["--name", NAME, "--accel", "tcg", "--firmware", "--detach", "--wait", "healthy", "--timeout", str(BOOT)]
    newest = kernel_of(lock_of(vendor.folder / "appliance.toml"))
    with serving(vendor.channels, port=vendor.port):
        door.run("run", vendor.builds["1"].folder / "tiny_1.json", *words)
        try:
            assert inside(door, NAME, "uname", "-r") != newest
            done = door.run("update", NAME, "--now", timeout=3 * BOOT)
            assert done.stdout == f"{NAME}: 2 runs, and is confirmed\n"
            assert inside(door, NAME, "uname", "-r") == newest
        finally:
            door.run("rm", "--force", NAME)
    assert "2 comes as a patch of " in done.stderr
    assert "packs" not in done.stderr, done.stderr
    [memory] = re.findall(r"at most ([0-9]+) MiB of memory were in use", done.stderr)
    sys.stdout.write(f"{memory} MiB were in use at most\n")
    assert 0 < int(memory) <= MOST_MEMORY

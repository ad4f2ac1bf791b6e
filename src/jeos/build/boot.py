"""The parts that boot: initrd and unified kernel image, made from packages that are only unpacked.

The initrd depends on few packages and is packed as tightly as it goes, which takes longer than all else here; it is
kept in the cache by what it was made from.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.build import digests, initrd, kernel, sign
from jeos.core import rooted
from jeos.core.errors import InputError
from jeos.disk import uki
from jeos.model.recipe import Recipe, SecureBoot
from jeos.store.caches import CacheFolder

STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
LOADER = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
# The serial port is the console that every hypervisor has and that can be read by a program.
# A kernel that panics starts again, so that boot counting goes on. With `gpt` it takes the second copy of the partition
# table where the first was torn by a power cut.
# The initrd raises the log level to 4, errors: those from before it are about hardware that small machines do without.
# Consoles are logs and screens here, nobody logs in on them: TERM=dumb keeps control sequences of systemd off them.
# Linux sets memory aside, three megabytes of a small machine, and wakes kswapd, whenever large pieces run short, which
# is always so at the start (Documentation/admin-guide/sysctl/vm.rst, `watermark_boost_factor`).
# What decides how an initrd of the same packages comes out.
INITRD_CODE = (
    "build.initrd",
    "build.kernel",
    "disk.cpio",
    "disk.elf",
    "disk.elf_edit",
    "disk.zstd_library",
    "model.kernel_plan",
    "model.tree",
)
# The same in every release, in seconds since 1970: so an initial file system that is otherwise the same stays so, and
# a guest that updates itself need not pack it again.
INITRD_DATE = 0
PARAMETERS = (
    "gpt",
    "panic=10",
    "console=tty0",
    "console=ttyS0",
    "quiet",
    "loglevel=3",
    "systemd.show_status=false",
    "TERM=dumb",
    "sysctl.vm.watermark_boost_factor=0",
)


@dataclass(frozen=True, slots=True)
class Boot:
    """Files made for the ESP: the unified kernel image and the boot loader; `initrd_size` is in bytes."""

    kernel: Path
    loader: Path
    initrd_size: int


def find_in(packages: Sequence[Path], path: str) -> Path:
    """Return a file of the unpacked packages. Raises InputError if none has it."""
    for package in packages:
        found = rooted.place(package, path)
        if found.is_file():
            return found
    raise InputError(
        f"no locked package has {path}", hint="the lock lacks the boot loader; make it anew with `jeos lock`"
    )


def command_line(recipe: Recipe, *, root_hash: str) -> str:
    """Return the kernel's command line: what verifies the root, the consoles, and what the recipe adds."""
    return " ".join([f"roothash={root_hash}", *PARAMETERS, *recipe.kernel.parameters])


def cached_initrd(
    *,
    packages: Sequence[Path],
    kernel_package: Path,
    kernel_digest: str,
    modules: Sequence[str] = (),
    library: Path | None = None,
    date: int,
    cache: CacheFolder,
) -> tuple[Path, bool]:
    """Return the initrd's path and whether it was there already; `kernel_digest` is the SHA-256 of its package.

    Of the other packages, only the program and libraries that are taken from them count, and of the `modules` that the
    recipe asks for, only those that drive disks: the root may be behind them. `library` is what packs it.
    """
    import zstandard

    drivers = initrd.storage_drivers(kernel_package, modules)
    parts = [digests.of_code(*INITRD_CODE), zstandard.__version__, str(date), kernel_digest, *drivers]
    parts.append(hashlib.sha256(library.read_bytes()).hexdigest() if library else "")
    for path, data in sorted(initrd.program_closure(initrd.PROGRAM, packages=packages).items()):
        parts += [path, hashlib.sha256(data).hexdigest()]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    found = cache.lookup("stages", f"initrd-{key}")
    if found is not None:
        return found / "initrd", True

    def make(folder: Path) -> None:
        data = initrd.make_initrd(
            packages=packages, kernel_package=kernel_package, date=date, extra_drivers=drivers, library=library
        )
        (folder / "initrd").write_bytes(data)

    return cache.obtain("stages", f"initrd-{key}", make) / "initrd", False


def make(
    recipe: Recipe,
    *,
    folder: Path,
    work: Path,
    boot_packages: Sequence[Path],
    kernel_package: Path,
    initrd_file: Path,
    root_hash: str,
    os_release: bytes,
    date: int,
) -> Boot:
    """Write the unified kernel image and the boot loader, signed if the recipe has a key, into `work`."""
    sections = {
        ".osrel": os_release,
        ".cmdline": command_line(recipe, root_hash=root_hash).encode(),
        ".uname": kernel.release_of(kernel_package).encode(),
        ".initrd": initrd_file.read_bytes(),
        ".linux": kernel.image_of(kernel_package).read_bytes(),
    }
    image, loader = work / "kernel.efi", work / "loader.efi"
    with image.open("wb") as out:
        uki.write(out, stub=find_in(boot_packages, STUB).read_bytes(), sections=sections)
    loader.write_bytes(find_in(boot_packages, LOADER).read_bytes())
    if recipe.secure_boot:
        keys = SecureBoot(
            key=str(folder / recipe.secure_boot.key), certificate=str(folder / recipe.secure_boot.certificate)
        )
        for path in (image, loader):
            sign.sign(path, keys=keys, out=path, date=date)
    return Boot(kernel=image, loader=loader, initrd_size=len(sections[".initrd"]))

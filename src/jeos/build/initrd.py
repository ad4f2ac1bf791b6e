"""The initial file system: one Lua script with Debian's LuaJIT, the libraries it needs, and the root disk's drivers.

It is made from packages that are only unpacked, so no maintainer script, no shell and no tool for initial file
systems is involved. `initrd/init.lua` beside this module is what runs; `docs/adr/0004-initrd-in-lua.md` says why Lua.
"""

import contextlib
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from jeos.build import kernel
from jeos.core import rooted
from jeos.core.errors import HostError, InputError
from jeos.disk import cpio, elf, elf_edit, zstd_library
from jeos.model.kernel_plan import INITRD_LEVEL, INITRD_TUNING, INITRD_WINDOW_LOG
from jeos.model.tree import Entry, Kind, Tree

# Loaded at each start, hardware or not: verified root, its file system, and the data's.
ALWAYS = ("dm_mod", "dm_verity", "erofs", "ext4")

# Loaded from the system once that is mounted and verified, so that they need no second place here: the overlay of
# /etc, and the way that QEMU passes credentials.
LATER = ("overlay", "qemu_fw_cfg")

# Loaded where the hardware is there: the buses and controllers that hypervisors and clouds put a disk behind, SHA-256
# with the processor's help (verity reads through it).
HARDWARE = (
    "virtio_pci",
    "virtio_mmio",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "nvme",
    "hv_vmbus",
    "hv_storvsc",
    "vmw_pvscsi",
    "mptspi",
    "mptsas",
    "xen_blkfront",
    "sha256_ssse3",
)

# Where a kernel has its drivers for disks: those of them that a recipe asks for are wanted before the root is mounted.
STORAGE = ("drivers/ata/", "drivers/block/", "drivers/message/", "drivers/nvme/", "drivers/scsi/")

# What only the generic kernel brings along at the start: no cloud has it, and it is a tenth of all modules here.
REAL_HARDWARE = ("ahci", "ata_piix")
CLOUD_KERNEL = "-cloud-"  # in the release of the kernel for clouds

# The buses whose devices say in /sys/bus/BUS/devices/*/modalias what they are; other aliases are of no use at a start.
BUSES = ("acpi", "cpu", "pci", "scsi", "virtio", "vmbus", "xen")

PROGRAM = "usr/bin/luajit"
# LuaJIT calls it for `math.sin`, for `^` and the like, which our scripts do without (a test holds them to that); it is
# a sixth of the archive.
UNUSED_LIBRARIES = ("libm.so.6",)
SCRIPTS = "lib/jeos"  # where init.lua looks for the others
LIBRARY_FOLDERS = ("usr/lib/{triplet}", "lib/{triplet}", "usr/lib", "lib", "usr/lib64", "lib64")
TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu")
MOUNT_POINTS = ("dev", "proc", "sys", "sysroot")


@dataclass(slots=True)
class _Files:
    """What goes into the archive: entries, and contents by digest."""

    date: int
    entries: dict[str, Entry] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def add(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        digest = hashlib.sha256(data).hexdigest()
        self.contents[digest] = data
        self._put(Entry(path=path, kind=Kind.FILE, mode=mode, mtime=self.date, size=len(data), digest=digest))

    def add_folder(self, path: str) -> None:
        self._put(Entry(path=path, kind=Kind.DIRECTORY, mtime=self.date))

    def _put(self, entry: Entry) -> None:
        if entry.parent and entry.parent not in self.entries:
            self.add_folder(entry.parent)
        self.entries[entry.path] = entry


def make_initrd(
    *,
    packages: Sequence[Path],
    kernel_package: Path,
    date: int,
    extra_drivers: Sequence[str] = (),
    library: Path | None = None,
) -> bytes:
    """Return the initial file system as a cpio archive packed with zstd, by `library` if that is given.

    `packages` are folders of unpacked packages that hold LuaJIT and all libraries it needs, `kernel_package` that of
    linux-image, or the layer of its modules, which has them unpacked already; `extra_drivers` are modules that a recipe
    wants at this early point (see `storage_drivers`), loaded where their hardware is. Raises InputError if something
    is in none of them.
    """
    archive = make_archive(packages=packages, kernel_package=kernel_package, date=date, extra_drivers=extra_drivers)
    return compress(archive, library=library)


def make_archive(
    *, packages: Sequence[Path], kernel_package: Path, date: int, extra_drivers: Sequence[str] = ()
) -> bytes:
    """Return the initial file system as a plain cpio archive; see `make_initrd`."""
    files = _Files(date=date)
    for folder in MOUNT_POINTS:
        files.add_folder(folder)
    for path, data in program_closure(PROGRAM, packages=packages).items():
        files.add(path, data, mode=0o755)
    for name, data in scripts().items():
        if name == "init.lua":
            files.add("init", data, mode=0o755)
        else:
            files.add(f"{SCRIPTS}/{name}", data)
    cloud = CLOUD_KERNEL in kernel.release_of(kernel_package)
    hardware = (*HARDWARE, *(() if cloud else REAL_HARDWARE), *extra_drivers)
    drivers = choose_drivers(kernel_package, hardware=hardware)
    files.add(f"{SCRIPTS}/driver_list.lua", driver_list(drivers).encode())
    for name, data in drivers.modules.items():
        files.add(f"lib/modules/{name}.ko", data)
    out = io.BytesIO()
    cpio.write(Tree.of(files.entries.values()), content=files.contents.__getitem__, out=out)
    return out.getvalue()


def compress(archive: bytes, *, library: Path | None = None) -> bytes:
    """Return an archive packed the way the kernel unpacks: one zstd frame with a window of at most 8 MiB.

    `library` is the appliance's own libzstd. An update makes the initial file system anew in the guest, which has just
    that one, and it must be the same bit for bit. Where it is not there or cannot be loaded here, jeos' own is used.
    """
    if library is not None:
        with contextlib.suppress(HostError):
            return zstd_library.compress(
                archive,
                level=INITRD_LEVEL,
                window_log=INITRD_WINDOW_LOG,
                tuning=INITRD_TUNING,
                long=False,
                path=str(library),
            )
    import zstandard

    hash_log, chain_log, search_log, strategy = INITRD_TUNING
    parameters = zstandard.ZstdCompressionParameters.from_level(
        INITRD_LEVEL,
        window_log=INITRD_WINDOW_LOG,
        hash_log=hash_log,
        chain_log=chain_log,
        search_log=search_log,
        strategy=strategy,
        write_checksum=False,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(archive)


def scripts() -> dict[str, bytes]:
    """Return the Lua files of the initial file system by name."""
    folder = resources.files("jeos.build").joinpath("initrd")
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".lua")}
    return dict(sorted(found.items()))


def program_closure(program: str, *, packages: Sequence[Path]) -> dict[str, bytes]:
    """Return a program, its dynamic linker and all libraries it needs, by the path at which they are looked for.

    The program loses its need of UNUSED_LIBRARIES, whose functions it must not call then. Raises InputError if one of
    them is in none of the packages.
    """
    data = _find((program,), packages=packages, wanted_by="the initrd")[1]
    for library in UNUSED_LIBRARIES:
        data = elf_edit.without_library(data, library)
    found = {program: data}
    linker = elf.interpreter(data)
    if linker is not None:
        name = linker.lstrip("/")
        found[name] = _find(
            (name, f"usr/{name}", *_library_paths(Path(name).name)), packages=packages, wanted_by=program
        )[1]
    have = {Path(path).name for path in found}
    waiting = [(library, program) for library in elf.needed(data)]
    while waiting:
        library, wanted_by = waiting.pop()
        if library in have:
            continue
        have.add(library)
        path, data = _find(_library_paths(library), packages=packages, wanted_by=wanted_by)
        found[path] = data
        waiting += [(other, library) for other in elf.needed(data)]
    return found


def _library_paths(name: str) -> tuple[str, ...]:
    folders = [folder.format(triplet=triplet) for folder in LIBRARY_FOLDERS for triplet in TRIPLETS]
    return tuple(f"{folder}/{name}" for folder in dict.fromkeys(folders))


def _find(paths: Iterable[str], *, packages: Sequence[Path], wanted_by: str) -> tuple[str, bytes]:
    names = tuple(paths)
    for path in names:
        for package in packages:
            found = rooted.place(package, path)  # a link to the linker in /lib means the package's own, not the host's
            if found.is_file():
                return path, found.read_bytes()
    raise InputError(
        f"{wanted_by} needs {Path(names[0]).name}, which is in no package for the initrd",
        hint="the lock lacks a package with the role initrd; make it anew with `jeos lock`",
    )


@dataclass(frozen=True, slots=True)
class Drivers:
    """Modules by name, those that are always loaded in order, and for each alias what to load, in order.

    `later` are paths, below the system's folder of modules, of what is loaded from there, in order.
    """

    modules: Mapping[str, bytes]
    always: tuple[str, ...]
    later: tuple[str, ...]
    hardware: tuple[tuple[str, tuple[str, ...]], ...]


def storage_drivers(package: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the named modules that drive disks on a bus that the initrd knows, sorted.

    Names that the kernel lacks are left out, the others are spelt as it spells them.
    """
    folder = kernel.modules_folder(package) / "kernel"
    paths = {kernel.module_name(path): path for path in folder.rglob("*.ko*")}
    wanted = sorted({name.replace("-", "_") for name in names} & paths.keys())
    reader = _ModuleReader(paths)
    return tuple(
        name
        for name in wanted
        if str(paths[name].relative_to(folder)).startswith(STORAGE)
        and any(bus_of(alias) in BUSES for alias in reader.aliases(name))
    )


def choose_drivers(
    package: Path,
    *,
    always: Sequence[str] = ALWAYS,
    hardware: Sequence[str] = HARDWARE,
    later: Sequence[str] = LATER,
) -> Drivers:
    """Choose modules of an unpacked kernel package, with what they depend on; what is built in or missing is left out.

    Raises InputError if one of `always` is neither a module nor built in.
    """
    folder = kernel.modules_folder(package)
    paths = {kernel.module_name(path): path for path in (folder / "kernel").rglob("*.ko*")}
    built_in = {kernel.module_name(Path(line)) for line in (folder / "modules.builtin").read_text().splitlines()}
    missing = sorted(set(always) - paths.keys() - built_in)
    if missing:
        raise InputError(
            f"the kernel {folder.name} lacks {', '.join(missing)}", hint="the initrd cannot mount / without"
        )
    reader = _ModuleReader(paths)
    after = _ModuleReader(paths)
    chains = {name: reader.chain(name) for name in (*always, *hardware) if name in paths}
    aliases = [(alias, chains[name]) for name in hardware if name in chains for alias in reader.aliases(name)]
    return Drivers(
        modules=dict(sorted(reader.data.items())),
        always=tuple(dict.fromkeys(link for name in always for link in chains.get(name, ()))),
        later=tuple(
            str(paths[link].relative_to(folder)).partition(".ko")[0] + ".ko"
            for link in dict.fromkeys(link for name in later if name in paths for link in after.chain(name))
            if link not in reader.data
        ),
        hardware=tuple((alias, chain) for alias, chain in aliases if bus_of(alias) in BUSES),
    )


class _ModuleReader:
    """Read modules, each once."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = paths
        self.data: dict[str, bytes] = {}
        self._info: dict[str, dict[str, list[str]]] = {}

    def info(self, name: str) -> dict[str, list[str]]:
        if name not in self._info:
            self.data[name] = kernel.read_module(self.paths[name])
            self._info[name] = kernel.module_info(self.data[name])
        return self._info[name]

    def aliases(self, name: str) -> list[str]:
        return self.info(name).get("alias", [])

    def chain(self, name: str) -> tuple[str, ...]:
        """Return what must be loaded for a module, itself last."""
        found: dict[str, None] = {}
        self._follow(name, found, above=())
        return tuple(found)

    def _follow(self, wanted: str, found: dict[str, None], *, above: tuple[str, ...]) -> None:
        name = wanted if wanted in self.paths else generic(wanted)
        if name in found or name in above or name not in self.paths:
            return
        for other in kernel.depends(self.info(name)):
            self._follow(other, found, above=(*above, name))
        found[name] = None


def generic(algorithm: str) -> str:
    """Return the module that has an algorithm without asking for more of the processor than there is.

    Modules name what they need of the crypto layer by algorithm: "crc32c" or "crypto_crc32c" for crc32c_generic.
    """
    return f"{algorithm.removeprefix('crypto_')}_generic"


def bus_of(alias: str) -> str:
    """Return the bus of a module alias: "pci" of "pci:v00001AF4d…", "acpi" of "acpi*:LNRO0005:*"."""
    return alias.partition(":")[0].rstrip("*")


def lua_pattern(alias: str) -> str:
    """Return the Lua pattern that matches what a module alias (a shell pattern) matches."""
    replaced = {"*": ".*", "?": "."}
    parts = re.findall(r"\[[^]]*\]|.", alias)
    plain = (part if len(part) > 1 else replaced.get(part) or re.sub(r"(\W)", r"%\1", part) for part in parts)
    return "^" + "".join(plain) + "$"


def driver_list(drivers: Drivers) -> str:
    """Return the Lua table that drivers.lua reads: what to load always, and by bus for each alias."""
    by_bus: dict[str, list[str]] = {}
    for alias, chain in drivers.hardware:
        by_bus.setdefault(bus_of(alias), []).append(f'    {{ "{lua_pattern(alias)}", "{" ".join(chain)}" }},\n')
    tables = "".join(f"  {bus} = {{\n{''.join(sorted(lines))}  }},\n" for bus, lines in sorted(by_bus.items()))
    words = f'always = "{" ".join(drivers.always)}", later = "{" ".join(drivers.later)}"'
    return f"return {{ {words}, hardware = {{\n{tables}}} }}\n"

"""The measuring program with its interpreter, from an appliance: laid out for the host, and as a guest's initrd.

kit = read_kit(machine)
kit.lay_out(folder, settings)               # run it there with `kit.command(folder)`
kit.initrd(settings, drivers=kit.drivers)   # the guest's first file system, whose /init it is

Each appliance brings LuaJIT with its libraries in its initrd (decision 4), so the very same bytes run on both sides.
"""

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jeos.core.errors import InputError
from jeos.disk import cpio, elf, erofs_reader, gpt, initramfs
from jeos.model.image import TYPE_ROOT
from jeos.model.machine import Machine
from jeos.model.tree import Entry, Kind, Tree

PROGRAM = "usr/bin/luajit"
INTERPRETER_FOLDERS = ("usr/", "lib64/")  # in an appliance's initrd
PROBE = "probe"
# What the guest's hardware needs, in whatever of it the kernel has as modules; what they need comes with them.
WANTED = ("virtio_pci", "virtio_blk", "virtio_net")
MODULE_FOLDERS = {"virtio_pci": "drivers/virtio", "virtio_blk": "drivers/block", "virtio_net": "drivers/net"}

EXECUTABLE, PLAIN = 0o755, 0o644

Value = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kit:
    """`program` are the interpreter and its libraries by path; `drivers` are modules in the order of loading."""

    program: Mapping[str, bytes]
    drivers: Mapping[str, bytes]

    def lay_out(self, folder: Path, settings: Mapping[str, Value]) -> None:
        """Write all that the program needs into a folder."""
        for path, data in {**self.program, **_probe(settings)}.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(EXECUTABLE)

    def command(self, folder: Path) -> list[str]:
        """Return the command that starts it on the host, with the appliance's own dynamic linker and libraries."""
        linker = next(path for path in self.program if Path(path).name.startswith("ld-linux"))
        libraries = {str(folder / Path(path).parent) for path in self.program if ".so" in path and path != linker}
        return [
            str(folder / linker),
            *("--library-path", ":".join(sorted(libraries))),
            str(folder / PROGRAM),
            str(folder / PROBE / "host.lua"),
            str(folder / PROBE),
        ]

    def initrd(self, settings: Mapping[str, Value]) -> bytes:
        """Return a bare cpio archive whose first program measures."""
        scripts = _probe({**settings, "guest": True, "drivers": tuple(f"{name}.ko" for name in self.drivers)})
        modules = {f"{PROBE}/{name}.ko": data for name, data in self.drivers.items()}
        files = {**self.program, **scripts, **modules, "init": scripts[f"{PROBE}/guest.lua"]}
        entries = {"dev": _folder("dev")}
        for path, data in files.items():
            for above in Path(path).parents[:-1]:
                entries[str(above)] = _folder(str(above))
            entries[path] = Entry(path=path, kind=Kind.FILE, mode=EXECUTABLE, size=len(data), digest=path)
        out = io.BytesIO()
        cpio.write(Tree.of(entries.values()), content=files.__getitem__, out=out)
        return out.getvalue()


def read_kit(machine: Machine) -> Kit:
    """Return the kit that a machine's initrd and disk hold; `machine.disk` may be "".

    Raises InputError if its initrd has no LuaJIT: jeos did not build it, or not for this hardware.
    """
    wanted = (*INTERPRETER_FOLDERS, "lib/modules/")
    found = initramfs.read(Path(machine.initrd).read_bytes(), wanted=lambda path: path.startswith(wanted))
    files = {path: data for path, data in found.files.items() if data}
    program = {path: data for path, data in files.items() if path.startswith(INTERPRETER_FOLDERS)}
    if PROGRAM not in program or not any(Path(path).name.startswith("ld-linux-x86-64") for path in program):
        raise InputError(f"the initrd of {machine.name} has no {PROGRAM} for x86-64", hint="build the appliance again")
    early = {Path(path).stem: data for path, data in files.items() if path.startswith("lib/modules/")}
    modules = {**(_system_modules(Path(machine.disk)) if machine.disk else {}), **early}
    return Kit(program=program, drivers=in_order(WANTED, modules))


def in_order(wanted: Iterable[str], modules: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the wanted modules that there are, each behind those it depends on."""
    chosen: dict[str, bytes] = {}

    def choose(name: str) -> None:
        if name in modules and name not in chosen:
            for other in depends(modules[name]):
                choose(other)
            chosen[name] = modules[name]

    for name in wanted:
        choose(name)
    return chosen


def depends(module: bytes) -> tuple[str, ...]:
    """Return the names of the modules that one says it depends on. Source: Linux, include/linux/moduleparam.h."""
    information = elf.sections(module).get(".modinfo", b"")
    found = re.search(rb"(?:^|\0)depends=([^\0]*)", information)
    return tuple(name.replace("-", "_") for name in found[1].decode().split(",") if name) if found else ()


def _system_modules(disk: Path) -> dict[str, bytes]:
    """Return the modules by name that the first system on a disk has for virtual networks and disks."""
    with disk.open("rb") as file:
        for partition in gpt.read(file).partitions:
            if partition.type == TYPE_ROOT:
                return _modules(erofs_reader.Filesystem(file, offset=partition.start))
    return {}


def _modules(system: erofs_reader.Filesystem) -> dict[str, bytes]:
    folders = (*MODULE_FOLDERS.values(), "net/core")
    wanted = re.compile(rf"usr/lib/modules/[^/]+/kernel/(?:{'|'.join(folders)})/([^/]+)\.ko")
    found = {}
    for entry in system.tree():
        match = wanted.fullmatch(entry.path)
        if match and entry.kind is Kind.FILE:
            found[match[1].replace("-", "_")] = system.read(entry.path)
    return found


def _probe(settings: Mapping[str, Value]) -> dict[str, bytes]:
    """Return the scripts by path, the settings among them."""
    folder = resources.files("jeos.measure").joinpath(PROBE)
    scripts = {f"{PROBE}/{file.name}": file.read_bytes() for file in folder.iterdir() if file.name.endswith(".lua")}
    return {**dict(sorted(scripts.items())), f"{PROBE}/settings.lua": lua_table(settings).encode()}


def lua_table(settings: Mapping[str, Value]) -> str:
    """Return settings as a Lua module. Raises ValueError for text with a line's end in it."""
    return "return {\n" + "".join(f"  {name} = {_lua(value)},\n" for name, value in settings.items()) + "}\n"


def _lua(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return "{ " + ", ".join(_lua(each) for each in value) + " }"
    if "\n" in value:
        raise ValueError(f"{value!r} has more than one line")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _folder(path: str) -> Entry:
    return Entry(path=path, kind=Kind.DIRECTORY, mode=EXECUTABLE)

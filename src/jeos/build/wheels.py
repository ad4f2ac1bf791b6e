"""Python wheels, unpacked to where the image's own Python looks, by PyPA's `installer`.

A wheel is checked before it is believed: its name against the image's Python (PEP 425, 600), each file against the
digest in its RECORD (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
"""

import io
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from jeos.build.items import Item
from jeos.core.errors import InputError
from jeos.model.recipe import Recipe

if TYPE_CHECKING:
    from installer.destinations import WheelDestination
    from installer.records import RecordEntry
    from installer.scripts import ScriptSection
    from installer.utils import Scheme

INTERPRETER = "/usr/bin/python3"
LARGE = 1 << 20  # bytes of a file from which on it waits on the disk, not in memory
PACKAGES = "usr/lib/python3/dist-packages"
GLIBC = {(3, 11): (2, 36), (3, 13): (2, 41)}  # of the Debian release that has this Python: bookworm, trixie
GLIBC_OF_LATER = (2, 41)
# What `zipfile` and `installer` raise for archives that are cut off, encrypted, or packed in ways they do not know.
DAMAGED = (ValueError, KeyError, AssertionError, EOFError, RuntimeError)
OLD_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def plan(recipe: Recipe, *, folder: Path, python: tuple[int, int], work: Path) -> list[Item]:
    """Return the files of all wheels of a recipe; `python` is the version of the image's Python.

    What is large lies in `work`. Raises InputError for a wheel that is damaged or made for something else.
    """
    return [item for name in recipe.wheels for item in unpack(folder / name, python=python, work=work)]


def unpack(path: Path, *, python: tuple[int, int], work: Path) -> list[Item]:
    """Return the files that one wheel brings, with the scripts that start its programs; what is large is in `work`."""
    import zipfile
    import zlib
    from warnings import catch_warnings, simplefilter

    from installer import install
    from installer.exceptions import InstallerError
    from installer.records import InvalidRecordEntry
    from installer.sources import WheelFile

    check_tags(path, python=python)
    work.mkdir(exist_ok=True)
    destination = _Collector(path, python=python, work=work)
    try:
        with zipfile.ZipFile(path) as archive, catch_warnings():
            simplefilter("ignore")  # about __pycache__ in wheels, which is left out
            wheel = WheelFile(archive)
            wheel.validate_record(validate_contents=True)
            check_complete(wheel.read_dist_info("RECORD"), archive.namelist())
            install(wheel, cast("WheelDestination", destination), additional_metadata={"INSTALLER": b"jeos\n"})
    except (InstallerError, InvalidRecordEntry, zipfile.BadZipFile, zlib.error, *DAMAGED) as error:
        reason = "; ".join(getattr(error, "issues", [])) or str(error) or type(error).__name__
        raise InputError(f"{path} is not a sound wheel: {reason}", hint="build it again, or fetch it again") from error
    return destination.items


def check_complete(record: str, names: Iterable[str]) -> None:
    """Raise ValueError if a wheel lacks a file that its RECORD lists, which `installer` does not look for."""
    from installer.records import parse_record_file

    missing = {path for path, _, _ in parse_record_file(record.splitlines())} - set(names)
    if missing:
        raise ValueError(f"{', '.join(sorted(missing))} is in RECORD and not in the wheel")


def check_tags(path: Path, *, python: tuple[int, int]) -> None:
    """Raise InputError unless a wheel's name says that it runs on this Python and on x86-64."""
    from installer.utils import parse_wheel_filename

    try:
        tag = parse_wheel_filename(path.name).tag
    except ValueError:
        raise InputError(
            f"{path.name} is not a wheel's name", hint="do not rename wheels: the name says what fits"
        ) from None
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    stable = "abi3" in abis
    if not any(_runs_on(name, python=python, stable=stable) for name in pythons):
        raise _unfit(path, f"is made for {' or '.join(pythons)}", python=python)
    if not any(abi in ("none", "abi3", f"cp{python[0]}{python[1]}") for abi in abis):
        raise _unfit(path, f"needs the binary interface {' or '.join(abis)}", python=python)
    if not any(_platform_fits(name, python=python) for name in platforms):
        raise _unfit(path, f"is made for {' or '.join(platforms)}", python=python)


def _unfit(path: Path, why: str, *, python: tuple[int, int]) -> InputError:
    fitting = f"a wheel for py3 or cp{python[0]}{python[1]}, and for any platform or manylinux on x86_64, fits"
    return InputError(f"{path.name} {why}, and the image has Python {python[0]}.{python[1]} on x86_64", hint=fitting)


def _runs_on(tag: str, *, python: tuple[int, int], stable: bool) -> bool:
    """Tell whether code with a Python tag such as "py3", "cp313" or (with the stable interface) "cp38" runs."""
    match = re.fullmatch(r"(py|cp)(3)([0-9]*)", tag)
    if match is None:
        return False
    minor = int(match[3]) if match[3] else 0
    return minor <= python[1] if match[1] == "py" or stable else minor == python[1]


def _platform_fits(tag: str, *, python: tuple[int, int]) -> bool:
    name, _, machine = tag.partition("_")
    if tag in ("any", "linux_x86_64"):
        return True
    if name in OLD_MANYLINUX:
        return machine == "x86_64"
    match = re.fullmatch(r"manylinux_([0-9]+)_([0-9]+)_x86_64", tag)
    return match is not None and (int(match[1]), int(match[2])) <= GLIBC.get(python, GLIBC_OF_LATER)


class _Collector:
    """Where `installer` writes to: it keeps the files as items instead (its WheelDestination interface)."""

    def __init__(self, wheel: Path, *, python: tuple[int, int], work: Path) -> None:
        self.wheel = wheel
        self.work = work
        self.items: list[Item] = []
        distribution = wheel.name.partition("-")[0]
        self.folders = {
            "purelib": PACKAGES,
            "platlib": PACKAGES,
            "scripts": "usr/bin",
            "headers": f"usr/include/python{python[0]}.{python[1]}/{distribution}",
            "data": "usr",
        }

    def write_script(self, name: str, module: str, attr: str, section: "ScriptSection") -> "RecordEntry":
        """Keep the script that calls an entry point."""
        from installer.scripts import Script

        name, content = Script(name, module, attr, section).generate(INTERPRETER, "posix")
        return self._keep("scripts", name, io.BytesIO(content), executable=True)

    def write_file(self, scheme: "Scheme", path: object, stream: BinaryIO, is_executable: bool) -> "RecordEntry":
        """Keep one file of the wheel."""
        from installer.utils import fix_shebang

        if scheme == "scripts":
            with fix_shebang(stream, INTERPRETER) as fixed:
                return self._keep(scheme, str(path), fixed, executable=True)
        return self._keep(scheme, str(path), stream, executable=is_executable)

    def finalize_installation(
        self, scheme: "Scheme", record_file_path: str, records: Iterable[tuple["Scheme", "RecordEntry"]]
    ) -> None:
        """Keep the list of all that was installed."""
        from installer.utils import construct_record_file

        with construct_record_file(records, lambda where: self._prefix(self.folders[where])) as stream:
            self._keep(scheme, record_file_path, stream, executable=False)

    @staticmethod
    def _prefix(folder: str) -> str | None:
        """Return what leads from the folder of packages to another one, as RECORD writes it."""
        return None if folder == PACKAGES else f"{os.path.relpath(folder, PACKAGES)}/"

    def _keep(self, scheme: str, path: str, stream: BinaryIO, *, executable: bool) -> "RecordEntry":
        from installer.records import Hash, RecordEntry
        from installer.utils import copyfileobj_with_hashing

        if path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise InputError(f"{self.wheel} holds {path}, which lies outside of it", hint="do not use this wheel")
        target = f"{self.folders[scheme]}/{path}"
        mode = 0o755 if executable else 0o644
        source = self.work / f"{self.wheel.name}-{len(self.items)}"
        with source.open("wb") as file:
            digest, size = copyfileobj_with_hashing(stream, file, "sha256")
        if size > LARGE:
            self.items.append(Item(path=target, mode=mode, source=source))
        else:
            self.items.append(Item(path=target, mode=mode, content=source.read_bytes()))
            source.unlink()
        return RecordEntry(path, Hash("sha256", digest), size)

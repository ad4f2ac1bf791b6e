"""Write dpkg's database as it is after `dpkg --unpack`, so that `dpkg --configure` goes on from there.

    record(unpacked, layer=Layered(into=…, below=[…]), composition=composition)

Sources: dpkg's doc/triggers.txt ("Interfaces", "On-disk formats"), deb-triggers(5), deb-conffiles(5), dpkg-query(1).
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.build.compose import DATABASE, Composition
from jeos.build.unpack import Unpacked
from jeos.core import rooted
from jeos.model import deb822

INFO_FORMAT = "1\n"  # file names in info/ carry the architecture where packages of several may be installed
NOT_FOR_INFO = ("control",)
AWAITED = ("interest", "interest-await")
INTERESTS = (*AWAITED, "interest-noawait")
CONFIGURED = ("installed", "triggers-awaited", "triggers-pending")


@dataclass(frozen=True)
class Database:
    """dpkg's database in a folder that is being made, above others that are not changed."""

    into: Path
    below: Sequence[Path] = ()

    def read(self, name: str) -> str:
        """Return the text of a file of the database, "" if there is none."""
        for folder in (self.into, *self.below):
            path = rooted.place(folder, f"{DATABASE}/{name}")
            if path.is_file():
                return path.read_text(errors="surrogateescape")
        return ""

    def write(self, name: str, text: str) -> None:
        """Write a file of the database."""
        path = self.folder(name.rpartition("/")[0]) / name.rpartition("/")[2]
        path.unlink(missing_ok=True)  # it may be another name of a file in the cache
        path.write_text(text, errors="surrogateescape")
        path.chmod(0o644)

    def folder(self, name: str) -> Path:
        """Return a folder of the database that is being made, after making sure that it is there."""
        path = rooted.place(self.into, f"{DATABASE}/{name}")
        path.mkdir(parents=True, exist_ok=True)
        return path


def info_name(package: Unpacked) -> str:
    """Return what a package's files in info/ are called: with its architecture if there may be several."""
    if package.control.get("Multi-Arch") == "same":
        return f"{package.name}:{package.control['Architecture']}"
    return package.name


def write_scripts(packages: Iterable[Unpacked], database: Database) -> None:
    """Put the packages' maintainer scripts and other control files into info/."""
    database.write("info/format", INFO_FORMAT)
    for package in packages:
        prefix = f"{info_name(package)}."
        link_files(package.scripts, database.folder("info"), prefix=prefix, leave_out=NOT_FOR_INFO)


def link_files(source: Path, target: Path, *, prefix: str = "", leave_out: Sequence[str] = ()) -> None:
    """Link the files of a folder into another one, with a prefix before their names."""
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(os.listdir(source)):  # noqa: PTH208
        if name not in leave_out:
            os.link(source / name, target / (prefix + name))


def record(packages: Sequence[Unpacked], database: Database, *, composition: Composition) -> None:
    """Write down packages whose files are in place as unpacked: lists, status, and the triggers they pull."""
    for package in packages:
        database.write(f"info/{info_name(package)}.list", _lines(composition.lists[package.name]))
    for owner, lost in composition.taken.items():
        _shorten_lists(owner, set(lost), database)
    before = database.read("status")
    added = [stanza(package, state="unpacked") for package in packages]
    pulled = list(_pulled(packages, database, configured=configured(before), composition=composition))
    database.write("status", "\n".join([text for text in (before.rstrip("\n") + "\n",) if before] + added))
    database.write("triggers/Unincorp", _lines([*database.read("triggers/Unincorp").splitlines(), *pulled]))
    _record_interests(packages, database)


def stanza(package: Unpacked, *, state: str) -> str:
    """Return a package's entry for the status file, in a state such as "unpacked" or "installed"."""
    lines = [f"{name}: {value}".replace(": \n", ":\n") for name, value in package.control.items()]
    lines.insert(1, f"Status: install ok {state}")
    conffiles = [line.rpartition(" ") for line in package.lines("conffiles")]
    if conffiles and state == "unpacked":
        lines += ["Conffiles:", *(f" {path} newconffile {flag}".rstrip() for flag, _, path in conffiles)]
    return _lines(lines)


def configured(status: str) -> set[str]:
    """Return the names of the packages that a status file calls configured."""
    return {
        value.get("package", "")
        for value in deb822.parse(status)
        if value.get("status", "").rpartition(" ")[2] in CONFIGURED
    }


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _shorten_lists(owner: str, lost: set[str], database: Database) -> None:
    """Take paths out of the list of a package below that lost them to a new one."""
    for folder in database.below:
        for path in rooted.place(folder, f"{DATABASE}/info").glob(f"{owner}*.list"):
            if path.name.removesuffix(".list").partition(":")[0] == owner:
                name = f"info/{path.name}"
                database.write(name, _lines(line for line in database.read(name).splitlines() if line not in lost))


def interests(package: Unpacked) -> Iterator[tuple[str, str]]:
    """Yield the triggers that a package is interested in, each with its own name as dpkg notes it down."""
    for line in package.lines("triggers"):
        directive, _, trigger = line.partition(" ")
        if directive in INTERESTS:
            yield trigger.strip(), info_name(package) + ("" if directive in AWAITED else "/noawait")


def _record_interests(packages: Sequence[Unpacked], database: Database) -> None:
    """Note who wants to be told of which trigger: files and folders in one table, others in a file each."""
    table = database.read("triggers/File").splitlines()
    for package in packages:
        for trigger, who in interests(package):
            if trigger.startswith("/"):
                table.append(f"{trigger} {who}")
            else:
                name = f"triggers/{trigger}"
                database.write(name, database.read(name) + f"{who}\n")
    database.write("triggers/File", _lines(table))


def _pulled(
    packages: Sequence[Unpacked], database: Database, *, configured: set[str], composition: Composition
) -> Iterator[str]:
    """Yield the triggers that new files pull in configured packages, as triggers/Unincorp has them."""
    wanted = {}
    for line in database.read("triggers/File").splitlines():
        trigger, _, who = line.rpartition(" ")
        if who.removesuffix("/noawait").partition(":")[0] in configured:
            wanted[trigger] = who
    paths = [path for package in packages for path in composition.lists[package.name]]
    for trigger in sorted(wanted):
        if any(path == trigger or path.startswith(f"{trigger}/") for path in paths):
            yield f"{trigger} -"

"""Make a configured Debian root the appliance that a recipe describes.

    apply(recipe, folder=folder, work=work, sandbox=Sandbox(root, time=lock.date))

What is to be done is planned by pure functions (`plan_system`, `plan_files`, `plan_users`, `wheels`); here it is done,
by programs of the root itself, inside the sandbox. Nothing is written to the root from outside.
"""

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.build import guest, plan_files, plan_system, plan_users, wheels
from jeos.build.items import Accounts, Item, last_of_each, write_tar
from jeos.build.sandbox import Sandbox
from jeos.core.errors import InputError, ProcessError
from jeos.model.recipe import Catalogue, Recipe

ARCHIVE = "/run/jeos/files.tar"  # where the sandbox shows the files to unpack
CLEAN = Path(__file__).with_name("clean.sh")
NO_UNIT = re.compile(r"[Uu]nit (?:file )?(\S+) does not exist")  # what systemctl says, of any version
PACKAGES = f"/{wheels.PACKAGES}"


@dataclass(frozen=True)
class Found:
    """What the root has before the recipe is applied: its accounts, and the text of its os-release."""

    accounts: Accounts
    os_release: str


def apply(recipe: Recipe, *, folder: Path, work: Path, sandbox: Sandbox) -> None:
    """Put all that a recipe says, beside its packages, into the sandbox's root.

    `folder` is the recipe's, `work` is for what is not kept.

    Raises InputError if the root lacks what the recipe names, and ProcessError if one of its commands fails.
    """
    found = look(sandbox)
    if recipe.users:
        for command in plan_users.commands(recipe.users, accounts=found.accounts):
            sandbox.run(command)
        found = look(sandbox)
    add_files(recipe, folder=folder, work=work, sandbox=sandbox, found=found)
    sandbox.run(guest.COMPILE)
    if recipe.wheels:
        compile_wheels(sandbox)
    set_units(recipe, sandbox=sandbox)
    run_commands(recipe, sandbox=sandbox)
    sandbox.run(["sh", "-e", "-c", CLEAN.read_text() + plan_system.resolver_command(recipe)])


def look(sandbox: Sandbox) -> Found:
    """Read what the plans need to know of the root; in one go, because each start of the sandbox has its price."""
    script = "cat /etc/passwd; printf '\\0'; cat /etc/group; printf '\\0'; cat /usr/lib/os-release"
    said = sandbox.run(["sh", "-e", "-c", script]).stdout.decode(errors="replace")
    passwd, group, os_release = said.split("\0")
    return Found(accounts=Accounts.parse(passwd=passwd, group=group), os_release=os_release)


def add_files(recipe: Recipe, *, folder: Path, work: Path, sandbox: Sandbox, found: Found) -> None:
    """Put all files in place: ours, those of wheels, and the recipe's, which go before all others."""
    items = [
        *plan_system.plan(recipe, folder=folder, os_release=found.os_release),
        *guest.agent_files(properties=bool(recipe.properties), updates=recipe.update is not None),
        *plan_users.keys(recipe),
        *wheel_files(recipe, folder=folder, work=work, sandbox=sandbox),
        *plan_files.plan(recipe, folder=folder),
    ]
    unpack(items, work=work, sandbox=sandbox, accounts=found.accounts)
    directories = plan_files.explicit_directories(recipe)
    if directories:
        unpack(directories, work=work, sandbox=sandbox, accounts=found.accounts, overwrite_directories=True)


def wheel_files(recipe: Recipe, *, folder: Path, work: Path, sandbox: Sandbox) -> list[Item]:
    """Return the files of the recipe's wheels, the large ones in a folder of `work`."""
    if not recipe.wheels:
        return []
    return wheels.plan(recipe, folder=folder, python=python_version(sandbox), work=work / "wheels")


def unpack(
    items: Sequence[Item], *, work: Path, sandbox: Sandbox, accounts: Accounts, overwrite_directories: bool = False
) -> None:
    """Put items into the root; directories that are there keep their owner and mode unless told otherwise."""
    with tempfile.NamedTemporaryFile(dir=work, prefix="files-", suffix=".tar") as archive:
        write_tar(last_of_each(items), archive, accounts=accounts, time=sandbox.time)
        archive.flush()
        inside = replace(sandbox, binds={**sandbox.binds, ARCHIVE: Path(archive.name)})
        directories = "--overwrite-dir" if overwrite_directories else "--no-overwrite-dir"
        options = ["--keep-directory-symlink", "--numeric-owner", "--same-permissions", directories]
        inside.run(["tar", "--extract", f"--file={ARCHIVE}", "--directory=/", *options])


def compile_wheels(sandbox: Sandbox) -> None:
    """Compile what wheels brought: a read-only system cannot keep what Python compiles at run time."""
    sandbox.run(["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", PACKAGES])


def set_units(recipe: Recipe, *, sandbox: Sandbox) -> None:
    """Enable and disable units. Raises InputError for one that the image does not have."""
    for command in plan_system.unit_commands(recipe):
        try:
            sandbox.run(command)
        except ProcessError as error:
            unknown = NO_UNIT.search(error.message)
            if unknown is None:
                raise
            raise InputError(
                f"the recipe is to {command[3]} {unknown[1]}, and the image has no such unit",
                hint="it may be misspelt, or come with a package that the recipe does not name",
            ) from error


def run_commands(recipe: Recipe, *, sandbox: Sandbox) -> None:
    """Run the recipe's commands, one after the other."""
    for number, command in enumerate(recipe.commands, start=1):
        try:
            sandbox.run(["/bin/sh", "-e", "-c", command.run], network=command.network)
        except ProcessError as error:
            first = command.run.strip().splitlines()[0]
            offline = "" if command.network else "; it has no network unless `network = true` gives it to it"
            message = f"the recipe's command {number} ({first}) failed: {error.message}"
            raise ProcessError(message, hint=f"{error.hint}{offline}") from error


def python_version(sandbox: Sandbox) -> tuple[int, int]:
    """Return the version of the root's Python; raises InputError if it has none."""
    try:
        said = sandbox.run(["python3", "-c", "import sys; print(*sys.version_info[:2])"]).text
    except ProcessError as error:
        raise InputError(
            "the recipe has wheels, and the image has no Python", hint='add "python3" to packages'
        ) from error
    major, minor = said.split()
    return int(major), int(minor)


def fingerprint(recipe: Recipe, *, folder: Path) -> str:
    """Return a digest of all that `apply` depends on beside the root: what the recipe says, and its files' content."""
    digest = hashlib.sha256(repr(replace(recipe, catalogue=Catalogue())).encode())  # no part of the image
    names = [
        *recipe.wheels,
        *([recipe.eula] if recipe.eula else []),
        *([recipe.update.root] if recipe.update else []),
        *(rule.source for rule in recipe.files if rule.source),
    ]
    for line in _content(folder / name for name in names):
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def _content(paths: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each file, folder and link below the paths, with what the image takes from it."""
    for path in paths:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            yield f"link {path.name} {path.readlink()}\n"
        elif stat.S_ISDIR(status.st_mode):
            yield f"folder {path.name}\n"
            yield from _content(sorted(path.iterdir()))
            yield "end\n"
        elif stat.S_ISREG(status.st_mode):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            yield f"file {path.name} {bool(status.st_mode & stat.S_IXUSR)} {content}\n"

"""Migrations: programs of a new release that bring the data of the one before into its own form.

A release brings programs in /usr/lib/jeos/migrate.d, named VERSION-WHAT ("1.4.0-move-database"). At the first start of
a release, those of versions after the one that ran before, up to its own, are run in the order of versions. Each runs
once on the same data; one that was cut off runs again, so that it must be able to. VERSION ends at the first "-" that
a letter follows.

    JEOS_FROM=1.2.0 JEOS_TO=1.4.0 /usr/lib/jeos/migrate.d/1.4.0-move-database
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jeos.model import version
from jeos.update import programs
from jeos.update.errors import MigrationError

FOLDER = "/usr/lib/jeos/migrate.d"
SECONDS = 900.0  # for one program
SEE = "the release's vendor has to mend it"
SHOWN_WORDS = 400  # characters of what a failed program said last
_NAME = re.compile(r"(?P<version>[0-9a-z](?:[0-9a-z.^~-]*?[0-9a-z])??)-(?P<what>[A-Za-z].*)")


@dataclass(frozen=True, slots=True)
class Hook:
    """A migration: the version that brought it, and the program's path."""

    version: str
    name: str
    path: str


def hooks(folder: str = FOLDER) -> tuple[Hook, ...]:
    """Return the migrations that the running release brings, in the order of versions, then of names."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return ()
    found = [
        Hook(version=match["version"], name=name, path=f"{folder}/{name}")
        for name in names
        if (match := _NAME.fullmatch(name)) and os.access(f"{folder}/{name}", os.X_OK)
    ]
    return tuple(sorted(found, key=lambda hook: (version.sort_key(hook.version), hook.name)))


def due(known: Sequence[Hook], *, before: str, now: str, done: Sequence[str]) -> tuple[Hook, ...]:
    """Choose the migrations from one version to another; `done` are the names of those that ran on this data."""
    return tuple(
        hook
        for hook in known
        if hook.name not in done and version.newer(hook.version, before) and not version.newer(hook.version, now)
    )


def run(
    chosen: Sequence[Hook], *, before: str, now: str, ran: Callable[[Hook], None], seconds: float = SECONDS
) -> None:
    """Run migrations in turn; `ran` writes down each. Raises MigrationError for the first that fails."""
    for hook in chosen:
        _run_one(hook, environment={**os.environ, "JEOS_FROM": before, "JEOS_TO": now}, seconds=seconds)
        os.sync()
        ran(hook)


def _run_one(hook: Hook, *, environment: Mapping[str, str], seconds: float) -> None:
    try:
        status, words = programs.run([hook.path], environment=environment, seconds=seconds, echo=True)
    except OSError as error:
        raise MigrationError(f"{hook.name} cannot start: {error.strerror}", hint="is its interpreter there?") from None
    last = words.strip()[-SHOWN_WORDS:]
    if status is None:
        raise MigrationError(f"{hook.name} did not end within {seconds:g} s; it said: {last}", hint=SEE)
    if status != 0:
        raise MigrationError(f"{hook.name} ended with status {status}; it said: {last}", hint=SEE)

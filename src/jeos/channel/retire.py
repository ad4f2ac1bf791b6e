"""Take old releases off a channel, and delete what no release needs any more.

    retired = retire(backend, keys=keys, keep=6, grace=48 * 3600)
    retired.releases, retired.deleted, retired.waiting

Somebody may be reading by metadata of a moment ago, so a file is deleted only when it has not been needed for the time
of grace. Since when is noted in the channel itself, in `work/garbage.json`: run this from time to time.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jeos.channel import catalogue, layout, lease, whole
from jeos.channel.backend import Backend
from jeos.channel.blobs import read_notes
from jeos.channel.catalogue import Listed
from jeos.channel.change import Keys, commit, offer_whole
from jeos.channel.metadata import open_repository, stored_names
from jeos.core import log
from jeos.core.errors import InputError, JeosError
from jeos.store.places.place import Found

KEEP = 6  # releases: the newest, and the five that it has patches from
GRACE = 48 * 3600.0  # seconds; a slow line needs hours for a whole system
UNFINISHED = 7 * 24 * 3600.0  # seconds after which a publishing that was cut off is not expected to go on
NOTES = f"{layout.WORK}garbage.json"


@dataclass(frozen=True, slots=True)
class Retired:
    """What was done: versions taken off, files deleted and their bytes, and those that wait for their grace to end."""

    releases: tuple[str, ...]
    deleted: int
    freed: int
    waiting: int
    waiting_size: int


def too_old(listed: Sequence[Listed], *, keep: int) -> list[Listed]:
    """Return the releases to take off: all but the `keep` newest, of which what was withdrawn does not count.

    `listed` is sorted, the newest first; the newest that everybody may have always stays.
    """
    left, last = keep, next((one for one in listed if one.terms.for_all), None)
    gone = []
    for one in listed:
        if left <= 0 and one is not last:
            gone.append(one)
        if not one.terms.withdrawn:
            left -= 1
    return gone


def retire(
    backend: Backend,
    *,
    keys: Keys,
    versions: Iterable[str] = (),
    keep: int = KEEP,
    grace: float = GRACE,
    dry_run: bool = False,
) -> Retired:
    """Take `versions` off the channel (without any: all but the `keep` newest), and delete what nobody needs.

    `grace` is in seconds. Raises InputError if a version is not listed, or if no release would be left.
    """
    with backend.lock():
        repository = open_repository(backend, roots=keys.roots)
        if repository.timestamp_expires() is None:
            raise InputError(f"there is no channel at {backend.place}", hint="`jeos publish` makes one")
        listed = catalogue.catalogue(backend, repository.targets())
        named = [catalogue.find(listed, version) for version in dict.fromkeys(versions)]
        gone = named or too_old(listed, keep=keep)
        if listed and len(gone) == len(listed):
            raise InputError("no release would be left", hint="publish another first")
        left = [one for one in listed if one not in gone]
        if gone and not dry_run:
            for one in gone:
                repository.remove_target(one.path)
            offer_whole(backend, left, keys=keys)
            commit(repository, keys=keys)
        with log.step("collect") as step:
            swept = _sweep(backend, needed(backend, left), now=keys.now(), grace=grace, dry_run=dry_run)
            step.done(f"{swept.deleted} files, {swept.freed >> 20} MiB")
    return Retired(
        releases=tuple(one.version for one in gone),
        deleted=swept.deleted,
        freed=swept.freed,
        waiting=swept.waiting,
        waiting_size=swept.waiting_size,
    )


def needed(backend: Backend, listed: Iterable[Listed]) -> Callable[[str], bool]:
    """Return what tells whether a file is needed, by the metadata as it is stored and the releases that stay."""
    listed = list(listed)
    names = {layout.TIMESTAMP, layout.SUMS, layout.SUMS_SIGNATURE, lease.NAME, NOTES, *stored_names(backend)}
    names |= {layout.target_name(one.path, one.sha256) for one in listed}
    names |= {layout.blob_name(blob.sha256) for one in listed for blob in one.release.blobs}
    names |= {
        name for one in listed for name in whole.names(one.release.name, one.version, root_hash=one.release.root_hash)
    }

    def is_needed(name: str) -> bool:
        """Tell whether a file of this name is needed."""
        role = layout.metadata_of(name)
        return name in names or (role is not None and role[0] == "root")

    return is_needed


def work_blobs(backend: Backend, *, now: float) -> set[str]:
    """Return the files that publishings which were cut off not long ago have written, and their notes."""
    found = set()
    for note in backend.list(layout.WORK):
        if note.name == NOTES or note.modified < now - UNFINISHED:
            continue
        found.add(note.name)
        with suppress(ValueError, KeyError, TypeError, AttributeError, JeosError):  # notes that nobody can go on from
            steps = read_notes(backend.get(note.name))
            found |= {layout.blob_name(blob.sha256) for blobs in steps.values() for blob in blobs}
    return found


def _sweep(backend: Backend, is_needed: Callable[[str], bool], *, now: float, grace: float, dry_run: bool) -> Retired:
    """Delete what has not been needed for the time of grace, and note since when the rest has not been."""
    unfinished = work_blobs(backend, now=now)
    since = _noted(backend)
    garbage: list[Found] = [
        found
        for found in backend.list()
        if layout.is_ours(found.name) and not is_needed(found.name) and found.name not in unfinished
    ]
    first_seen = {found.name: min(since.get(found.name, now), now) for found in garbage}
    doomed = [found for found in garbage if first_seen[found.name] <= now - grace]
    waiting = [found for found in garbage if first_seen[found.name] > now - grace]
    if not dry_run:
        # The notes first: a file that is deleted and forgotten is only noted once more.
        notes = {found.name: first_seen[found.name] for found in garbage}
        backend.put(NOTES, json.dumps({"unneeded_since": notes}, sort_keys=True).encode())
        for found in doomed:
            backend.delete(found.name)
    return Retired(
        releases=(),
        deleted=len(doomed),
        freed=sum(found.size for found in doomed),
        waiting=len(waiting),
        waiting_size=sum(found.size for found in waiting),
    )


def _noted(backend: Backend) -> dict[str, float]:
    if backend.stat(NOTES) is None:
        return {}
    try:
        return {str(name): float(when) for name, when in json.loads(backend.get(NOTES))["unneeded_since"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warn(f"{NOTES} cannot be read; the time of grace begins anew")
        return {}

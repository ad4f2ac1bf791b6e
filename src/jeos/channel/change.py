"""Change what a channel offers to whom: promote, withdraw, and keep its signatures fresh.

    promote(backend, "1.1", keys=keys, percent=50)
    withdraw(backend, "1.2", keys=keys)
    refresh(backend, keys=keys)                  # for cron: only the online keys are needed

Each is one commit of metadata under the channel's lock: readers see all of it or nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from jeos.channel import catalogue, whole
from jeos.channel.backend import Backend
from jeos.channel.catalogue import Listed
from jeos.channel.metadata import open_repository
from jeos.core import log
from jeos.core.errors import InputError
from jeos.trust.errors import SignatureError
from jeos.trust.repository import DAY, Expiry, Repository, Signers
from jeos.trust.trusted import parse

EXPIRES = 30 * DAY  # seconds that a timestamp is good for, unless told otherwise


@dataclass(frozen=True)
class Keys:
    """What signs: all versions of the vendor's root, oldest first, who signs for a role, and for how long (s).

    `gpg_key` signs the list for systemd-sysupdate, where there is one.
    """

    roots: Sequence[bytes]
    signers: Signers
    expires: float = EXPIRES
    gpg_key: str = ""
    now: Callable[[], float] = field(default=time.time)

    @property
    def expiry(self) -> Expiry:
        """Return how long each kind of metadata is good for: what the online keys sign as long as was wanted."""
        return Expiry(targets=max(Expiry.targets, self.expires), snapshot=self.expires, timestamp=self.expires)


@contextmanager
def changing(backend: Backend, *, keys: Keys) -> Iterator[Repository]:
    """Open a channel's metadata under its lock, and sign and write what was changed when the block ends well.

    Raises BusyChannelError if somebody else changes the channel, a TrustError if it is not the vendor's.
    """
    with backend.lock():
        repository = open_repository(backend, roots=keys.roots)
        yield repository
        commit(repository, keys=keys)


def check_signers(keys: Keys) -> None:
    """Unlock all that sign a release, so that nobody waits long to learn that a key or passphrase is missing.

    Raises SignatureError if there are too few keys for a role, and what the keys raise.
    """
    root = parse(keys.roots[-1], Root).signed
    for role in (Targets.type, Snapshot.type, Timestamp.type):
        wanted = root.roles[role]
        here = {signer.public_key.keyid for signer in keys.signers(role)} & set(wanted.keyids)
        if len(here) < wanted.threshold:
            raise SignatureError(
                f"the {role} metadata needs {wanted.threshold} signatures, and there are keys for {len(here)}",
                hint=f"bring the keys of the role {role} (--offline DIR): `jeos keys show` lists them",
            )


def commit(repository: Repository, *, keys: Keys) -> None:
    """Sign what was changed and write it, the timestamp last."""
    with log.step("sign") as step:
        written = repository.commit(keys.signers, now=keys.now(), expires=keys.expiry)
        expires = time.strftime("%Y-%m-%d", time.gmtime(keys.now() + keys.expires))
        step.done(f"{len(written)} files, fresh until {expires}")


def promote(
    backend: Backend,
    version: str,
    *,
    keys: Keys,
    ring: str | None = None,
    percent: int | None = None,
    critical: bool | None = None,
) -> Listed:
    """Offer a release to others than so far, and return it as it is listed now.

    Raises InputError if it is not listed, or was withdrawn.
    """
    with changing(backend, keys=keys) as repository:
        listed = catalogue.catalogue(backend, repository.targets())
        found = catalogue.find(listed, version)
        if found.terms.withdrawn:
            raise InputError(
                f"{version} has been withdrawn", hint=f"take that back first: jeos channel withdraw --undo {version}"
            )
        return _set(backend, repository, listed, found, keys=keys, ring=ring, percent=percent, critical=critical)


def withdraw(backend: Backend, version: str, *, keys: Keys, undo: bool = False) -> Listed:
    """Let no machine take a release any more, nor wait for it (or let them again, with `undo`).

    Raises InputError if it is not listed.
    """
    with changing(backend, keys=keys) as repository:
        listed = catalogue.catalogue(backend, repository.targets())
        return _set(backend, repository, listed, catalogue.find(listed, version), keys=keys, withdrawn=not undo)


def _set(
    backend: Backend,
    repository: Repository,
    listed: list[Listed],
    found: Listed,
    *,
    keys: Keys,
    ring: str | None = None,
    percent: int | None = None,
    critical: bool | None = None,
    withdrawn: bool | None = None,
) -> Listed:
    terms = catalogue.changed(found.terms, ring=ring, percent=percent, critical=critical, withdrawn=withdrawn)
    new = Listed(path=found.path, sha256=found.sha256, release=found.release, terms=terms)
    repository.set_custom(found.path, catalogue.custom_of(terms))
    offer_whole(backend, [new if one is found else one for one in listed], keys=keys)
    return new


def refresh(backend: Backend, *, keys: Keys) -> float:
    """Sign the channel's timestamp (and, where it is time, its snapshot) anew; return until when it is fresh (s since
    1970).

    Raises InputError if there is no channel. What the offline keys signed keeps its date: a warning tells when that
    ends too soon.
    """
    with changing(backend, keys=keys) as repository:
        if repository.timestamp_expires() is None:
            raise InputError(f"there is no channel at {backend.place}", hint="`jeos publish` makes one")
    end = open_repository(backend, roots=keys.roots).timestamp_expires()
    assert end is not None
    if end < keys.now() + keys.expires - DAY:
        log.warn(
            f"the channel is only fresh until {time.strftime('%Y-%m-%d', time.gmtime(end))}: "
            "its list of releases or its root ends then; publish, or renew the keys' metadata, before"
        )
    return end


def offer_whole(backend: Backend, listed: Sequence[Listed], *, keys: Keys, start: bool = False) -> None:
    """Let the channel's SHA256SUMS, if it has one or `start` makes one, list what every machine may have."""
    if not start and whole.stored_sums(backend) is None:
        return
    for_all = [one.release for one in listed if one.terms.for_all]
    named = {one.kernel.sha256: whole.names(one.name, one.version, root_hash=one.root_hash) for one in for_all}
    proved = {names[-1]: digest for digest, names in named.items()}
    offered = [name for names in named.values() for name in names]
    whole.update_sums(backend, offered=offered, gpg_key=keys.gpg_key, proved=proved)

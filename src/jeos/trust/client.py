"""The TUF client: brings metadata from a channel up to date and finds targets in it, believing nothing unsigned.

    client = Client("/var/lib/jeos/update/metadata", root=root, fetch=fetch, now=time.time)
    client.refresh()
    for target in client.targets().values(): …
    data = client.download(target)

It follows the client workflow of the TUF specification 1.0.33, section 5; what is trusted, and when, is decided in
`trusted`, and here files are fetched and kept. The folder holds what was trusted before, each file as it was received:

    roots/N.json      the roots after the one of the image, which is never read from here
    timestamp.json, snapshot.json, targets.json, and one file for each delegated role

Nothing in the folder is believed: all of it is checked again from the image's root on, and what does not hold counts as
not there. Each file is replaced in one step, in an order in which power may fail at any point.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Root, Snapshot, TargetFile, Targets, Timestamp

from jeos.core import files
from jeos.core.errors import NetworkError, TrustError
from jeos.trust import trusted as step
from jeos.trust.errors import FormatError, MismatchError
from jeos.trust.trusted import Trusted

# Bytes that are taken of a file whose length nothing signed tells: many times what they need (5.3.3, 5.4.1, 5.5.1).
ROOT_LIMIT = 256 << 10
TIMESTAMP_LIMIT = 16 << 10
SNAPSHOT_LIMIT = 512 << 10
TARGETS_LIMIT = 2 << 20
TARGET_LIMIT = 64 << 20  # and of a target, whatever is signed, since it is held in memory
ROOTS_LIMIT = 256  # new roots taken in one go (5.3.3)
DELEGATIONS_LIMIT = 32  # roles that are asked for one target (5.6.7.2)
STRONG = ("sha256", "sha512")  # digests that count; the first that is there also names the file


class Missing(NetworkError):  # noqa: N818 - an answer, not a failure, where roots end
    """The channel does not have a file."""


class Fetch(Protocol):
    """Get a file of a channel."""

    def __call__(self, path: str, *, limit: int) -> bytes:
        """Return a file by its path relative to the channel, with percent-encoding where it needs one.

        Raises Missing if there is none, and another JeosError if it cannot be had or has more than `limit` bytes.
        """


@dataclass(frozen=True)
class Target:
    """A file that signed metadata vouches for: its length in bytes, digests, and what the vendor says of it."""

    path: str
    length: int
    hashes: Mapping[str, str]
    custom: Mapping[str, object]

    @property
    def sha256(self) -> str:
        """Its SHA-256, in hexadecimal; empty if the metadata has only another digest."""
        return self.hashes.get("sha256", "")


class Client:
    """The trusted view of one channel."""

    def __init__(self, folder: str, *, root: bytes, fetch: Fetch, now: Callable[[], float]) -> None:
        """Keep trusted metadata in `folder`; `root` is the root of trust, `now` a clock (s since the epoch)."""
        self._folder = Path(folder)
        self._root = root
        self._fetch = fetch
        self._now = now
        self._trusted: Trusted | None = None

    def refresh(self) -> None:
        """Bring the metadata up to date (5.3 to 5.6).

        Raises a TrustError if anything does not hold, a NetworkError if a file cannot be had, and HostError or OSError
        if the folder cannot be written; what was trusted before stays then, and the next call begins anew.
        """
        self._trusted = None
        trusted = Trusted(self._root, now=self._now())
        self._load_roots(trusted)
        self._load_timestamp(trusted)
        self._load_snapshot(trusted)
        self._load_targets(trusted, role=Targets.type, delegator=None)
        self._trusted = trusted

    def targets(self) -> Mapping[str, Target]:
        """Return all that the top list of targets has, by path (delegated lists are only for `find`)."""
        targets = self._current().targets
        assert targets
        return {path: as_target(found) for path, found in targets.targets.items()}

    def root(self) -> Root:
        """Return the newest root that is trusted: who signs for which role."""
        return self._current().root

    def expires(self) -> float:
        """Return until when the timestamp is good, in seconds since the epoch."""
        timestamp = self._current().timestamp
        assert timestamp
        return timestamp.expires.timestamp()

    def find(self, path: str) -> Target | None:
        """Look a target up, in delegated lists too, in the order in which the vendor trusts them (5.6.7)."""
        trusted = self._current()
        assert trusted.targets
        left: list[tuple[str, Targets | None]] = [(Targets.type, None)]
        visited: set[str] = set()
        while left and len(visited) <= DELEGATIONS_LIMIT:
            role, delegator = left.pop()
            if role in visited:
                continue
            targets = self._load_targets(trusted, role=role, delegator=delegator) if delegator else trusted.targets
            visited.add(role)
            if path in targets.targets:
                return as_target(targets.targets[path])
            below: list[tuple[str, Targets | None]] = []
            for name, terminating in targets.delegations.get_roles_for_target(path) if targets.delegations else ():
                below.append((name, targets))
                if terminating:
                    left = []
                    break
            left += reversed(below)
        return None

    def download(self, target: Target) -> bytes:
        """Fetch a target and check it (5.7). Raises MismatchError if it is another file than was signed."""
        path = stored_path(target) if self._current().root.consistent_snapshot else target.path
        if target.length > TARGET_LIMIT:
            raise MismatchError(f"the target {target.path} has {target.length} bytes: more than {TARGET_LIMIT}")
        data = self._get(f"targets/{path}", limit=target.length)
        signed = TargetFile(target.length, dict(target.hashes), target.path)
        try:
            signed.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise MismatchError(f"the target {target.path} is not the file that was signed: {error}") from error
        return data

    def _current(self) -> Trusted:
        if self._trusted is None:
            self.refresh()
        assert self._trusted
        return self._trusted

    def _load_roots(self, trusted: Trusted) -> None:
        """Walk from the image's root to the newest, first over those that are kept (5.3)."""
        self._adopt(trusted)
        fetched = 0
        while fetched < ROOTS_LIMIT:
            version = trusted.root.version + 1
            data = self._kept(f"roots/{version}.json")
            if data is not None:
                with suppress(TrustError):
                    trusted.add_root(data)
                    continue
            try:
                data = self._get(f"metadata/{version}.root.json", limit=ROOT_LIMIT)
            except Missing:
                return
            before = trusted.root
            new = trusted.add_root(data)
            self._forget_if_keys_changed(before, new)
            self._keep(f"roots/{version}.json", data)
            fetched += 1

    def _adopt(self, trusted: Trusted) -> None:
        """Note the image's root if it is newer than all that are kept: a new image may bring new keys."""
        versions = [int(path.stem) for path in (self._folder / "roots").glob("*.json") if path.stem.isdecimal()]
        newest = max(versions, default=0)
        if newest >= trusted.root.version:
            return
        kept = self._kept(f"roots/{newest}.json")
        if kept is not None:
            with suppress(FormatError):
                self._forget_if_keys_changed(step.parse(kept, Root).signed, trusted.root)
        self._keep(f"roots/{trusted.root.version}.json", self._root)

    def _forget_if_keys_changed(self, before: Root, after: Root) -> None:
        """Recover from keys that were stolen and used to sign absurdly high versions (5.3.11)."""
        if step.keys_changed(before, after):
            for role in (Timestamp.type, Snapshot.type):
                self._path(f"{role}.json").unlink(missing_ok=True)

    def _load_timestamp(self, trusted: Trusted) -> None:
        kept = self._kept("timestamp.json")
        if kept is not None:
            with suppress(TrustError):
                trusted.keep_timestamp(kept)
        trusted.check_root()
        data = self._get("metadata/timestamp.json", limit=TIMESTAMP_LIMIT)
        if trusted.add_timestamp(data):
            self._keep("timestamp.json", data)

    def _load_snapshot(self, trusted: Trusted) -> None:
        assert trusted.timestamp
        kept = self._kept("snapshot.json")
        if kept is not None:
            with suppress(TrustError):
                trusted.keep_snapshot(kept)
                trusted.add_snapshot(kept)
                return
        meta = trusted.timestamp.snapshot_meta
        limit = min(meta.length or SNAPSHOT_LIMIT, SNAPSHOT_LIMIT)
        data = self._get(_metadata_path(Snapshot.type, meta.version, root=trusted.root), limit=limit)
        trusted.add_snapshot(data)
        self._keep("snapshot.json", data)

    def _load_targets(self, trusted: Trusted, *, role: str, delegator: Targets | None) -> Targets:
        meta = trusted.meta(role)
        name = f"{quote(role, safe='')}.json"
        kept = self._kept(name)
        if kept is not None:
            with suppress(TrustError):
                return trusted.add_targets(kept, role=role, delegator=delegator)
        limit = min(meta.length or TARGETS_LIMIT, TARGETS_LIMIT)
        data = self._get(_metadata_path(role, meta.version, root=trusted.root), limit=limit)
        targets = trusted.add_targets(data, role=role, delegator=delegator)
        self._keep(name, data)
        return targets

    def _get(self, path: str, *, limit: int) -> bytes:
        data = self._fetch(path, limit=limit)
        if len(data) > limit:
            raise MismatchError(f"{path} has more than {limit} bytes")
        return data

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _kept(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except OSError:  # not there, or damaged: it is fetched again
            return None

    def _keep(self, name: str, data: bytes) -> None:
        files.write(self._path(name), data)


def stored_path(target: Target) -> str:
    """Return where a target is below `targets/`: its digest stands before its name (TUF specification 6.2).

    Raises FormatError for a path that would lead elsewhere, and for a target without a strong digest.
    """
    folder, slash, name = target.path.rpartition("/")
    digest = next((target.hashes[algorithm] for algorithm in STRONG if algorithm in target.hashes), "")
    if not name or any(part in ("", ".", "..") for part in target.path.split("/")) or "\0" in target.path:
        raise FormatError(f"the target path {target.path!r} leads out of the channel")
    if not digest:
        raise FormatError(f"the target {target.path} has no SHA-256 or SHA-512")
    return f"{folder}{slash}{digest}.{name}"


def _metadata_path(role: str, version: int, *, root: Root) -> str:
    prefix = f"{version}." if root.consistent_snapshot else ""
    return f"metadata/{prefix}{quote(role, safe='')}.json"


def as_target(found: TargetFile) -> Target:
    """Return what python-tuf says of a target."""
    custom = found.custom if isinstance(found.custom, dict) else {}
    return Target(path=found.path, length=found.length, hashes=dict(found.hashes), custom=custom)

"""Write a channel's TUF metadata: what it offers, signed with the vendor's keys, so that readers see all of it or none.

    repository = Repository.open(Folder(path), roots=keys.roots())
    repository.add_target("releases/hello_1.1.json", data, custom={"ring": "beta"})
    repository.commit(keys.signers, now=time.time())

Everything but the timestamp has a name that is never used again, and the timestamp is written last: until then readers
see the old state, and a commit that was cut off leaves only files that nobody asks for. What is loaded is checked
against the vendor's root first, so that nobody who can write to the channel gets something of theirs signed.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from jeos.core import files, log
from jeos.core.errors import HostError, InputError, TrustError
from jeos.trust.client import Target, as_target, stored_path
from jeos.trust.errors import SignatureError
from jeos.trust.trusted import DATE, TIME_FORMAT, S, is_signed, parse, signing_date

DAY = 86400  # seconds
TIMESTAMP = "metadata/timestamp.json"

Signers = Callable[[str], Sequence[Signer]]  # role -> those who sign for it; asked only for roles that are signed


class Files(Protocol):
    """Where a channel's files are: a folder, a bucket."""

    def read(self, name: str) -> bytes | None:
        """Return a file, or None if it is not there."""

    def write(self, name: str, data: bytes, *, immutable: bool) -> None:
        """Write a file in one step; what is `immutable` is written once and never changed."""


@dataclass(frozen=True)
class Folder:
    """The files of a channel in a folder on disk."""

    path: Path

    def read(self, name: str) -> bytes | None:
        """Return a file, or None if it is not there."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes, *, immutable: bool) -> None:
        """Write a file in one step. Raises InputError if it is `immutable` and there with another content."""
        found = self.read(name) if immutable else None
        if found is not None and found != data:
            raise InputError(
                f"{self.path / name} is there already, and is another", hint="move it away, and look at it"
            )
        if found is None:
            files.write(self.path / name, data)


@dataclass(frozen=True)
class Written:
    """A file that a commit writes."""

    name: str
    data: bytes
    immutable: bool = True


@dataclass(frozen=True)
class Expiry:
    """How long metadata stays good after it was signed, in seconds.

    The timestamp's is how long an attacker may withhold a release, and how long the vendor may forget the channel.
    """

    targets: float = 365 * DAY
    snapshot: float = 30 * DAY
    timestamp: float = 30 * DAY


class Repository:
    """The metadata of one channel, being changed in memory until `commit`."""

    def __init__(
        self,
        where: Files,
        *,
        roots: Sequence[bytes],
        targets: Metadata[Targets] | None,
        snapshot: Metadata[Snapshot] | None,
        timestamp: Metadata[Timestamp] | None,
    ) -> None:
        """Take over what was loaded; use `open`."""
        self._where = where
        self._roots = tuple(roots)
        self._root = parse(roots[-1], Root).signed
        self._old_targets, self._snapshot, self._timestamp = targets, snapshot, timestamp
        self._targets = dict(targets.signed.targets) if targets else {}
        self._data: dict[str, bytes] = {}

    @classmethod
    def open(cls, where: Files, *, roots: Sequence[bytes]) -> "Repository":
        """Load a channel, which may be empty still; `roots` are all versions of the vendor's root, oldest first.

        Raises a TrustError if what is there was not signed by the vendor, expired or not.
        """
        parsed = [parse(data, Root).signed for data in roots]
        if not parsed or [root.version for root in parsed] != list(range(1, len(parsed) + 1)):
            raise InputError("the versions of the root are not complete", hint="the keys' folder must have all of them")
        if where.read(_name(Root.type, len(parsed) + 1)) is not None:
            raise InputError(
                f"the channel has version {len(parsed) + 1} of the root, which the keys' folder lacks",
                hint="use the newest copy of the keys' folder",
            )
        data = where.read(TIMESTAMP)
        if data is None:
            return cls(where, roots=roots, targets=None, snapshot=None, timestamp=None)
        timestamp = _load(data, Timestamp, roots=parsed)
        snapshot = _load(_read(where, Snapshot, timestamp.signed.snapshot_meta), Snapshot, roots=parsed)
        targets = _load(_read(where, Targets, snapshot.signed.meta["targets.json"]), Targets, roots=parsed)
        return cls(where, roots=roots, targets=targets, snapshot=snapshot, timestamp=timestamp)

    def targets(self) -> Mapping[str, Target]:
        """Return what the channel offers, by path, with the changes so far."""
        return {path: as_target(found) for path, found in self._targets.items()}

    def timestamp_expires(self) -> float | None:
        """Return when readers begin to refuse the channel as it is stored (s since the epoch); None if it is empty."""
        loaded: list[Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp] | None] = [
            self._old_targets,
            self._snapshot,
            self._timestamp,
        ]
        ends = [found.signed.expires.timestamp() for found in loaded if found]
        return min(*ends, self._root.expires.timestamp()) if ends else None

    def add_target(self, path: str, data: bytes, *, custom: Mapping[str, object]) -> Target:
        """Offer a file, in place of one with the same path if there is one."""
        found = TargetFile.from_data(path, data, ["sha256"])
        found.unrecognized_fields["custom"] = dict(custom)
        target = as_target(found)
        self._data[f"targets/{stored_path(target)}"] = data
        self._targets[path] = found
        return target

    def set_custom(self, path: str, custom: Mapping[str, object]) -> None:
        """Replace what is said of a target. Raises InputError if there is no such target."""
        old = self._found(path)
        self._targets[path] = TargetFile(old.length, dict(old.hashes), path, {"custom": dict(custom)})

    def remove_target(self, path: str) -> None:
        """Offer a target no longer; its file stays for readers of older metadata. Raises InputError if none."""
        self._found(path)
        del self._targets[path]

    def commit(
        self, signers: Signers, *, now: float, expires: Expiry = Expiry(), renew: bool = False
    ) -> tuple[Written, ...]:
        """Sign what must be signed, and write it, the timestamp last; return what was written.

        The targets key is needed if targets changed, if its role in the root did, or to `renew` all dates; otherwise
        a commit only gives the timestamp (and, when half of its time is over, the snapshot) a later date. `now` is
        in seconds since the epoch. Raises SignatureError if there are too few signers for a role.
        """
        written = self.prepare(signers, now=now, expires=expires, renew=renew)
        for file in written:
            self._where.write(file.name, file.data, immutable=file.immutable)
        return written

    def prepare(
        self, signers: Signers, *, now: float, expires: Expiry = Expiry(), renew: bool = False
    ) -> tuple[Written, ...]:
        """Return what `commit` would write, in the order in which it must be written."""
        if self._timestamp and now < signing_date(self._timestamp.signed):
            raise HostError(
                f"this machine's clock says {_text(now)}, but the channel was signed on "
                f"{_text(signing_date(self._timestamp.signed))}",
                hint="set the clock",
            )
        sign = _Sign(root=self._root, signers=signers, now=now)
        targets, snapshot = self._old_targets, self._snapshot
        new_targets = self._must_sign_targets(renew)
        if new_targets:
            signed = Targets(version=self._next(Targets.type, targets), targets=self._targets)
            targets = sign(signed, life=expires.targets)
        assert targets
        new_snapshot = new_targets or renew or self._is_old(snapshot, now=now, life=expires.snapshot)
        if new_snapshot:
            meta = {"targets.json": _meta(targets)}
            snapshot = sign(Snapshot(version=self._next(Snapshot.type, snapshot), meta=meta), life=expires.snapshot)
        assert snapshot
        version = self._timestamp.signed.version + 1 if self._timestamp else 1
        timestamp = Timestamp(version=version, snapshot_meta=_meta(snapshot), unrecognized_fields={DATE: _text(now)})
        signed_timestamp = sign(timestamp, life=expires.timestamp)
        return (
            *(Written(_name(Root.type, version), data) for version, data in enumerate(self._roots, start=1)),
            *(Written(name, data) for name, data in self._data.items()),
            *([Written(_name(Targets.type, targets.signed.version), _bytes(targets))] if new_targets else []),
            *([Written(_name(Snapshot.type, snapshot.signed.version), _bytes(snapshot))] if new_snapshot else []),
            Written(TIMESTAMP, _bytes(signed_timestamp), immutable=False),
        )

    def _must_sign_targets(self, renew: bool) -> bool:
        old = self._old_targets
        if old is None or renew or old.signed.targets != self._targets:
            return True
        return not is_signed(old, self._root, role=Targets.type)

    def _is_old(self, snapshot: Metadata[Snapshot] | None, *, now: float, life: float) -> bool:
        if snapshot is None or not is_signed(snapshot, self._root, role=Snapshot.type):
            return True
        return snapshot.signed.expires.timestamp() - now < life / 2

    def _next(self, role: str, old: Metadata[Targets] | Metadata[Snapshot] | None) -> int:
        """Return the next version, which is not one that a commit which was cut off has written already."""
        version = old.signed.version + 1 if old else 1
        while self._where.read(_name(role, version)) is not None:
            version += 1
        return version

    def _found(self, path: str) -> TargetFile:
        if path not in self._targets:
            raise InputError(f"the channel has no target {path}", hint="`jeos channel show` lists what it has")
        return self._targets[path]


@dataclass(frozen=True)
class _Sign:
    """Signs metadata for its role, with enough keys of it."""

    root: Root
    signers: Signers
    now: float

    def __call__(self, signed: S, *, life: float) -> Metadata[S]:
        role = self.root.roles[signed.type]
        end = min(self.now + life, self.root.expires.timestamp())
        signed.expires = datetime.datetime.fromtimestamp(int(end), tz=datetime.UTC)
        metadata = Metadata(signed)
        for signer in self.signers(signed.type):
            if signer.public_key.keyid in role.keyids:
                metadata.sign(signer, append=True)
        if len(metadata.signatures) < role.threshold:
            raise SignatureError(
                f"the {signed.type} metadata needs {role.threshold} signatures, and there are keys for "
                f"{len(metadata.signatures)}",
                hint=f"bring the keys of the role {signed.type}: `jeos keys show` lists them",
            )
        return metadata


def _load(data: bytes, kind: type[S], *, roots: Sequence[Root]) -> Metadata[S]:
    """Read metadata that is signed as the newest root demands, or as an older one did before keys were changed."""
    metadata = parse(data, kind)
    for root in reversed(roots):
        if is_signed(metadata, root, role=kind.type):
            if root is not roots[-1] and kind is Targets:
                log.warn(
                    "the keys of the targets changed since they were signed: look at them with `jeos channel show`"
                )
            return metadata
    raise SignatureError(
        f"the {kind.type} metadata in the channel is not signed with the vendor's keys",
        hint="somebody else wrote it, or the keys' folder is that of another channel",
    )


def _read(where: Files, kind: type[Snapshot] | type[Targets], meta: MetaFile) -> bytes:
    name = _name(kind.type, meta.version)
    data = where.read(name)
    if data is None:
        raise TrustError(f"{name} is not in the channel", hint="`jeos channel verify` tells what else is missing")
    return data


def _name(role: str, version: int) -> str:
    return f"metadata/{version}.{role}.json"


def _bytes(metadata: Metadata[S]) -> bytes:
    return metadata.to_bytes(JSONSerializer(compact=True))


def _meta(metadata: Metadata[S]) -> MetaFile:
    return MetaFile.from_data(metadata.signed.version, _bytes(metadata), ["sha256"])


def _text(time: float) -> str:
    return datetime.datetime.fromtimestamp(int(time), tz=datetime.UTC).strftime(TIME_FORMAT)

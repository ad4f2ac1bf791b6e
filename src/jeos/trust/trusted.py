"""What a client trusts, step by step: pure checks of the TUF client workflow, without files and network.

    trusted = Trusted(root, now=time.time())
    trusted.add_root(data)                       # as often as there is a next one
    trusted.keep_timestamp(data)                 # what was trusted before: the floor for what comes
    trusted.add_timestamp(data)                  # then add_snapshot(), add_targets()

The steps are those of the TUF specification 1.0.33, section 5; the numbers in comments are its own. Parsing, thresholds
and canonical forms are python-tuf's, signatures are checked by `crypto`.

**Time.** An appliance's clock may be wrong by years at boot. A clock that is behind would make outdated metadata look
fresh, so each timestamp of ours carries the date on which it was signed, and no time before the date of the newest one
trusted is believed. A clock that is ahead makes everything look expired; nothing can be done then but say so.
"""

import datetime
from typing import TypeVar
from urllib.parse import quote

from securesystemslib.exceptions import Error as LibraryError
from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Key, Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp

from jeos.trust.crypto import LibcryptoKey, verifying
from jeos.trust.errors import ExpiredError, FormatError, MismatchError, RollbackError, SignatureError

DATE = "date"  # our own field in timestamps: when it was signed, as 2026-01-31T12:00:00Z
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"  # TUF specification 4.2.1
MAX_TIME = 253402300799  # the last second of the year 9999, seconds since the epoch
ROLE_NAME_LIMIT = 200  # characters, percent-encoded: it must fit into a file's name
MIXED = "the channel was copied while it changed, or somebody changed it: copy it again, or try again later"

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)


def parse(data: bytes, kind: type[S]) -> Metadata[S]:
    """Read metadata of one kind, without checking any signature. Raises FormatError for anything else."""
    try:
        found: Metadata[S] = Metadata.from_bytes(data)
    except (RepositoryError, LibraryError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(f"the {kind.type} metadata cannot be read: {error.__cause__ or error}") from error
    if found.signed.type != kind.type:
        raise FormatError(f"wanted {kind.type} metadata, found {found.signed.type}")
    _use_libcrypto(found.signed)
    return found


def _use_libcrypto(signed: Signed) -> None:
    if isinstance(signed, Root):
        signed.keys = _verifying(signed.keys)
    elif isinstance(signed, Targets) and signed.delegations:
        signed.delegations.keys = _verifying(signed.delegations.keys)


def _verifying(keys: dict[str, Key]) -> dict[str, Key]:
    found = {keyid: verifying(key) for keyid, key in keys.items()}
    publics = ["".join(key.keyval["public"].split()).lower() for key in found.values() if isinstance(key, LibcryptoKey)]
    if len(set(publics)) < len(publics):
        # python-tuf counts ids, so that one key could reach a threshold of two.
        raise FormatError("the metadata has the same key under two ids")
    return found


def signing_date(timestamp: Timestamp) -> float:
    """Return when a timestamp was signed, in seconds since the epoch; 0 if it does not say so."""
    text = timestamp.unrecognized_fields.get(DATE)
    if text is None:
        return 0.0
    try:
        return datetime.datetime.strptime(text, TIME_FORMAT).replace(tzinfo=datetime.UTC).timestamp()
    except (TypeError, ValueError) as error:
        raise FormatError(f"the timestamp metadata has an odd date: {text!r}") from error


def keys_changed(old: Root, new: Root) -> bool:
    """Tell whether the keys of timestamp or snapshot changed, so that recovery must begin anew (5.3.11)."""
    return any(
        sorted(old.roles[role].keyids) != sorted(new.roles[role].keyids) for role in (Timestamp.type, Snapshot.type)
    )


class Trusted:
    """The metadata that is trusted so far; every method raises a TrustError for what is not, and changes nothing."""

    def __init__(self, root: bytes, *, now: float) -> None:
        """Begin with a root that is trusted because of where it comes from (5.2); it must be signed by itself."""
        self._now = now
        metadata = parse(root, Root)
        _check_signed(metadata, metadata.signed, role=Root.type)
        self.root: Root = metadata.signed
        self.timestamp: Timestamp | None = None
        self.snapshot: Snapshot | None = None
        self.targets: Targets | None = None

    @property
    def now(self) -> float:
        """The time that expiry is measured against (s since the epoch): never before what we know to be past."""
        return max(self._now, signing_date(self.timestamp) if self.timestamp else 0.0)

    def add_root(self, data: bytes) -> Root:
        """Trust the next root: signed by the one before and by itself, its version one higher (5.3.4, 5.3.5)."""
        metadata = parse(data, Root)
        _check_signed(metadata, self.root, role=Root.type)
        _check_signed(metadata, metadata.signed, role=Root.type)
        if metadata.signed.version != self.root.version + 1:
            raise RollbackError(f"wanted root version {self.root.version + 1}, found {metadata.signed.version}")
        self.root = metadata.signed
        return self.root

    def check_root(self) -> None:
        """Refuse an expired root: for the last one only (5.3.10)."""
        self._check_fresh(self.root)

    def keep_timestamp(self, data: bytes) -> None:
        """Take up the timestamp that was trusted before, expired or not: nothing older is trusted from now on."""
        metadata = parse(data, Timestamp)
        _check_signed(metadata, self.root, role=Timestamp.type)
        signing_date(metadata.signed)
        self.timestamp = metadata.signed

    def add_timestamp(self, data: bytes) -> bool:
        """Trust a timestamp (5.4); return false if it is the version that we have, which then stays in use."""
        metadata = parse(data, Timestamp)
        _check_signed(metadata, self.root, role=Timestamp.type)
        new, old = metadata.signed, self.timestamp
        if old:
            _check_not_older(Timestamp.type, new=new.version, old=old.version)
            if new.version == old.version:
                self._check_fresh(old)
                return False
            _check_not_older(Snapshot.type, new=new.snapshot_meta.version, old=old.snapshot_meta.version)
        self._check_fresh(new, date=signing_date(new))
        self.timestamp = new
        self.check_root()  # a newer date may be known now
        return True

    def keep_snapshot(self, data: bytes) -> None:
        """Take up the snapshot that was trusted before, whichever it is: no role's version may fall below its."""
        metadata = parse(data, Snapshot)
        _check_signed(metadata, self.root, role=Snapshot.type)
        self.snapshot = metadata.signed

    def add_snapshot(self, data: bytes) -> Snapshot:
        """Trust the snapshot that the timestamp names (5.5)."""
        assert self.timestamp, "the timestamp comes first"
        wanted = self.timestamp.snapshot_meta
        _check_content(data, wanted, role=Snapshot.type)
        metadata = parse(data, Snapshot)
        _check_signed(metadata, self.root, role=Snapshot.type)
        new = metadata.signed
        _check_version(Snapshot.type, wanted=wanted.version, found=new.version)
        for name, meta in (self.snapshot.meta if self.snapshot else {}).items():
            if name not in new.meta:
                raise RollbackError(f"the snapshot metadata no longer has {name}")
            _check_not_older(name, new=new.meta[name].version, old=meta.version)
        self._check_fresh(new)
        self.snapshot = new
        return new

    def add_targets(self, data: bytes, *, role: str = Targets.type, delegator: Targets | None = None) -> Targets:
        """Trust a list of targets: the top one, or that of `role`, to which `delegator` delegates (5.6)."""
        wanted = self.meta(role)
        _check_content(data, wanted, role=role)
        metadata = parse(data, Targets)
        _check_signed(metadata, delegator or self.root, role=role)
        _check_version(role, wanted=wanted.version, found=metadata.signed.version)
        self._check_fresh(metadata.signed, role=role)
        if delegator is None:
            self.targets = metadata.signed
        return metadata.signed

    def meta(self, role: str) -> MetaFile:
        """Return what the snapshot says of a role's file."""
        assert self.snapshot, "the snapshot comes first"
        found = self.snapshot.meta.get(f"{role}.json")
        if found is None or len(quote(role)) > ROLE_NAME_LIMIT:
            raise MismatchError(f"the snapshot metadata does not have the role {role[:80]!r}")
        return found

    def _check_fresh(self, signed: Signed, *, role: str = "", date: float = 0.0) -> None:
        now = datetime.datetime.fromtimestamp(min(max(self.now, date, 0.0), MAX_TIME), tz=datetime.UTC)
        if signed.is_expired(now):
            raise ExpiredError(
                f"the {role or signed.type} metadata expired on {signed.expires:%Y-%m-%d %H:%M} UTC, "
                f"and it is {now:%Y-%m-%d %H:%M} UTC",
                hint="the vendor must sign it anew; if that time is wrong, set the clock",
            )


def is_signed(metadata: Metadata[S], delegator: Root | Targets, *, role: str) -> bool:
    """Tell whether metadata has as many good signatures as its role demands."""
    try:
        _check_signed(metadata, delegator, role=role)
    except (SignatureError, FormatError):
        return False
    return True


def _check_signed(metadata: Metadata[S], delegator: Root | Targets, *, role: str) -> None:
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except UnsignedMetadataError as error:
        raise SignatureError(
            f"the {role} metadata is not signed as it must be: {error}",
            hint="somebody else wrote it, or the channel is another vendor's",
        ) from error
    except (RepositoryError, LibraryError, ValueError, TypeError) as error:
        raise FormatError(f"the {role} metadata cannot be checked: {error}") from error


def _check_not_older(name: str, *, new: int, old: int) -> None:
    if new < old:
        raise RollbackError(
            f"{name} goes back from version {old} to {new}",
            hint="this is an older copy of the channel than was seen before: bring a newer one",
        )


def _check_version(role: str, *, wanted: int, found: int) -> None:
    if found != wanted:
        raise MismatchError(f"wanted version {wanted} of the {role} metadata, found {found}", hint=MIXED)


def _check_content(data: bytes, meta: MetaFile, *, role: str) -> None:
    try:
        meta.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise MismatchError(f"the {role} metadata is not what was announced: {error}", hint=MIXED) from error

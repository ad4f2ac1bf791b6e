"""A vendor's folder of keys: the root in all its versions, and the private keys that are not elsewhere.

    keys = Keys.open(Path("keys"), offline=[Path("/media/stick")], passphrases=Passphrases.find())
    repository.commit(keys.signers, now=time.time())

| file | what | secret |
| --- | --- | --- |
| `root.json` | the newest root; recipes name it in `[update]` | no |
| `N.root.json` | each version of the root; channels need all | no |
| `pending.root.json` | the next version, while it waits for signatures | no |
| `ROLE/KEYID.pem` | a private key; those of root and targets are sealed with a passphrase | yes |
| `ROLE/KEYID.uri` | the address (RFC 7512) of a private key on a token | no |

The folders `root` and `targets` belong on a medium that lies in a safe: `offline` names where else to look for them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.exceptions import KeyMismatchError
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey
from tuf.api.metadata import Metadata, Root

from jeos.core import files
from jeos.core.errors import InputError, TrustError, UsageError
from jeos.trust import pkcs8, token
from jeos.trust.passphrase import Passphrases
from jeos.trust.root import (
    KEYID_PREFIX,
    LIFE,
    OFFLINE,
    ROLES,
    Wanted,
    encode,
    find_key,
    first,
    follow,
    lacking,
    replaced,
    roles_of,
)
from jeos.trust.trusted import Trusted, parse

NEWEST = "root.json"
PENDING = "pending.root.json"
LOCK = ".lock"  # there while keys are being changed
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
NO_PASSPHRASE = Passphrases()


@dataclass(frozen=True)
class Plan:
    """How many keys a new role gets, how many must sign, and the addresses of those that are on tokens."""

    keys: int = 1
    threshold: int = 1
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What became of a change of the root: its version, keys added and removed, and how many signatures it lacks."""

    version: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    lacking: int


@dataclass
class _New:
    """Private keys that were made and are not written yet, so that a failure leaves nothing behind."""

    signers: list[Signer] = field(default_factory=list)
    writes: list[tuple[Path, bytes]] = field(default_factory=list)


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep all others from changing a folder of keys during the block; open it inside.

    Raises StoreError if somebody does: two new versions of a root that know nothing of each other would share a number.
    """
    with files.locked(folder / LOCK, wait=False, busy=f"{folder} is being changed by another `jeos keys`"):
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # it has keys in it, as a rule
                folder.rmdir()


class Keys:
    """The keys in a folder, and on the media and tokens beside it."""

    def __init__(self, folder: Path, *, offline: Sequence[Path], passphrases: Passphrases) -> None:
        self.folder = folder
        self._offline = tuple(offline)
        self._passphrases = passphrases
        self._roots: list[bytes] = []

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        now: float,
        life: float = LIFE,
        plan: Mapping[str, Plan] | None = None,
        offline: Sequence[Path] = (),
        passphrases: Passphrases = NO_PASSPHRASE,
    ) -> "Keys":
        """Make the keys of a new vendor, and the first root. Raises UsageError if there are keys in the folder."""
        if (folder / NEWEST).exists() or any(folder.glob("*.root.json")):
            raise UsageError(f"{folder} has keys already", hint="`jeos keys show` shows them, `rotate` replaces them")
        keys = cls(folder, offline=offline, passphrases=passphrases)
        new = _New()
        wanted = {role: keys._wanted(role, (plan or {}).get(role, Plan()), new) for role in ROLES}
        metadata = Metadata(first(wanted, now=now, life=life))
        keys._finish(metadata, new, old=None)
        return keys

    @classmethod
    def open(cls, folder: Path, *, offline: Sequence[Path] = (), passphrases: Passphrases = NO_PASSPHRASE) -> "Keys":
        """Read a folder of keys, checking that each root follows from the one before."""
        keys = cls(folder, offline=offline, passphrases=passphrases)
        while (path := folder / f"{len(keys._roots) + 1}.root.json").exists():
            keys._roots.append(path.read_bytes())
        if not keys._roots:
            raise InputError(f"{folder} is no folder of keys: it has no 1.root.json", hint="`jeos keys new` makes one")
        trusted = Trusted(keys._roots[0], now=0)
        for data in keys._roots[1:]:
            trusted.add_root(data)
        newest = folder / NEWEST
        if not newest.exists() or newest.read_bytes() != keys._roots[-1]:
            with suppress(OSError):  # a change was cut off before this last step; where we may not write, others can
                files.write(newest, keys._roots[-1])
        return keys

    @property
    def root(self) -> Root:
        """The newest root."""
        return parse(self._roots[-1], Root).signed

    @property
    def pending(self) -> Metadata[Root] | None:
        """The next root, if it waits for signatures."""
        try:
            return parse((self.folder / PENDING).read_bytes(), Root)
        except FileNotFoundError:
            return None

    def roots(self) -> tuple[bytes, ...]:
        """Return all versions of the root, oldest first."""
        return tuple(self._roots)

    def place(self, keyid: str) -> Path | None:
        """Return where a private key is, or its address on a token; None if it is on no medium that is here."""
        for base in (self.folder, *self._offline):
            for role in ROLES:
                for ending in ("pem", "uri"):
                    path = base / role / f"{keyid}.{ending}"
                    if path.exists():
                        return path
        return None

    def signers(self, role: str) -> tuple[Signer, ...]:
        """Return as many signers for a role as its threshold demands, or all that are here if they are fewer."""
        wanted = self.root.roles[role]
        here = [keyid for keyid in wanted.keyids if self.place(keyid)]
        return tuple(self._signer(keyid, role=role, root=self.root) for keyid in here[: wanted.threshold])

    def rotate(
        self, role: str, *, now: float, keyid: str | None = None, address: str | None = None, life: float = LIFE
    ) -> Change:
        """Replace a key of a role by a new one, or by the one at the `address` of a token."""
        old = replaced(self.root, role, keyid)
        new = _New()
        key = self._new_key(role, address, new)
        return self._change(new, add=[(role, key)], remove=[(role, old)], now=now, life=life)

    def revoke(self, keyid: str, *, now: float, life: float = LIFE) -> Change:
        """Take a key's rights away; where too few would be left for a role, a new one takes its place."""
        old, new = find_key(self.root, keyid), _New()
        roles = roles_of(self.root, old)
        short = [role for role in roles if len(self.root.roles[role].keyids) <= self.root.roles[role].threshold]
        add = [(role, self._new_key(role, None, new)) for role in short]
        return self._change(new, add=add, remove=[(role, old) for role in roles], now=now, life=life)

    def renew(self, *, now: float, life: float = LIFE) -> Change:
        """Make a new version of the root with the same keys and a later date."""
        return self._change(_New(), add=[], remove=[], now=now, life=life)

    def sign(self) -> Change:
        """Add the signatures of the keys that are here to the root that waits for them."""
        waiting = self.pending
        if waiting is None:
            raise UsageError(f"nothing waits for signatures in {self.folder}", hint="see `jeos keys show`")
        if waiting.signed.version != self.root.version + 1:
            raise InputError(f"{self.folder / PENDING} does not follow version {self.root.version}", hint="delete it")
        return self._finish(waiting, _New(), old=self.root)

    def _change(
        self,
        new: _New,
        *,
        add: Sequence[tuple[str, Key]],
        remove: Sequence[tuple[str, str]],
        now: float,
        life: float,
    ) -> Change:
        if self.pending is not None:
            raise UsageError(
                f"{self.folder / PENDING} waits for signatures", hint="complete it with `jeos keys sign`, or delete it"
            )
        root = follow(self.root, add=add, remove=remove, now=now, life=life)
        return self._finish(Metadata(root), new, old=self.root)

    def _finish(self, metadata: Metadata[Root], new: _New, *, old: Root | None) -> Change:
        """Sign a root with what is here; write the new private keys, then the root, or what waits for signatures."""
        made, failure = self._sign(metadata, new.signers, old=old)
        missing = lacking(metadata, old=old)
        if missing and failure and not made:
            raise failure
        for path, data in new.writes:
            path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            files.write(path, data, mode=PRIVATE_FILE)
        version = metadata.signed.version
        if missing:
            files.write(self.folder / PENDING, encode(metadata))
        else:
            data = encode(metadata)
            files.write(self.folder / f"{version}.root.json", data)
            files.write(self.folder / NEWEST, data)
            (self.folder / PENDING).unlink(missing_ok=True)
            self._roots.append(data)
        then = set(old.keys) if old else set()
        return Change(
            version=version,
            added=tuple(sorted(set(metadata.signed.keys) - then)),
            removed=tuple(sorted(then - set(metadata.signed.keys))),
            lacking=missing,
        )

    def _sign(
        self, metadata: Metadata[Root], new: Iterable[Signer], *, old: Root | None
    ) -> tuple[int, TrustError | None]:
        """Sign until there are enough signatures; return how many keys of old signed, and why one could not."""
        made, failure = 0, None
        for signer in new:
            if signer.public_key.keyid in metadata.signed.roles[Root.type].keyids:
                metadata.sign(signer, append=True)
        for judge in (*([old] if old else []), metadata.signed):
            for keyid in judge.roles[Root.type].keyids:
                result = judge.get_verification_result(Root.type, metadata.signed_bytes, metadata.signatures)
                if result.verified:
                    break
                if keyid in result.signed or not self.place(keyid):
                    continue
                try:
                    metadata.sign(self._signer(keyid, role=Root.type, root=judge), append=True)
                    made += 1
                except TrustError as error:
                    failure = error
        return made, failure

    def _signer(self, keyid: str, *, role: str, root: Root) -> Signer:
        path = self.place(keyid)
        assert path, "only keys that are here are asked to sign"
        public = cast(SSlibKey, root.keys[keyid])
        if path.suffix == ".uri":
            return token.TokenSigner(token.address(path.read_text().strip()), public, self._passphrases.pin)
        private = self._passphrases.open(path.read_bytes(), name=_name(role, keyid))
        try:
            return CryptoSigner(private, public)
        except (KeyMismatchError, ValueError):
            raise InputError(
                f"{path} holds another key than its name says", hint="bring the right file from a copy"
            ) from None

    def _wanted(self, role: str, plan: Plan, new: _New) -> Wanted:
        addresses = (*plan.tokens, *([None] * (plan.keys - len(plan.tokens))))
        return Wanted([self._new_key(role, address, new) for address in addresses], plan.threshold)

    def _new_key(self, role: str, address: str | None, new: _New) -> Key:
        """Make a key, or take the one on a token; note what is to be written of it."""
        base = self._offline[0] if role in OFFLINE and self._offline else self.folder
        if address is not None:
            on_token = token.signer_for(address, ask_pin=self._passphrases.pin)
            new.signers.append(on_token)
            new.writes.append((base / role / f"{on_token.public_key.keyid}.uri", f"{address}\n".encode()))
            return on_token.public_key
        private = Ed25519PrivateKey.generate()
        signer = CryptoSigner(private)
        keyid = signer.public_key.keyid
        sealed = role in OFFLINE
        name = _name(role, keyid)
        pem = pkcs8.seal(private, self._passphrases.for_new(name)) if sealed else pkcs8.plain(private)
        new.signers.append(signer)
        new.writes.append((base / role / f"{keyid}.pem", pem))
        return signer.public_key


def _name(role: str, keyid: str) -> str:
    return f"the {role} key {keyid[:KEYID_PREFIX]}"

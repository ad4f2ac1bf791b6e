"""A vault's master key: sealed with passphrases (scrypt), and exported for the day when all of them are forgotten.

Any number of passphrases may open a vault: each seals the same master key, in a file of its own under `keys/`. The
recovery key is the master key itself, in letters that can be written on paper; it is taken wherever a passphrase is.
Sources: RFC 7914 (scrypt), NIST SP 800-38D (GCM), RFC 4648, section 6 (base 32).
"""

import base64
import hashlib
import json
import os
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jeos.core.errors import InputError, TrustError
from jeos.store.places.place import MissingFileError, Place, Reader
from jeos.store.vault_errors import DamagedFileError
from jeos.store.vault_seal import KEY_SIZE, KeyedSeal, derived

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FOLDER, SUFFIX = "keys/", ".json"
NAMES = "keys/names"
RECOVERY = "jeos-vault-"  # what a recovery key begins with
CHECK_SIZE = 3  # bytes that find a slip of the pen
GROUP = 5  # letters between dashes

# 32 MiB and about a quarter of a second: OWASP's advice for scrypt, with little enough memory for small machines.
COST, BLOCK, REPEAT = 1 << 15, 8, 3
COST_LIMIT = 1 << 20  # of what a file may ask for: 1 GiB
SALT_SIZE = 16
LIMIT = 1 << 16  # bytes of a key's file


@dataclass(frozen=True, slots=True)
class SealedKey:
    """The master key as one passphrase opens it; `name` is that of its file without the folder."""

    name: str
    note: str
    created: str
    cost: int
    block: int
    repeat: int
    salt: bytes
    sealed: bytes

    def open(self, passphrase: str) -> bytes | None:
        """Return the master key, or None if it is another's passphrase."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher(passphrase).decrypt(bytes(12), self.sealed, _bound(self.name))
        except InvalidTag:
            return None

    def _cipher(self, passphrase: str) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(_stretched(passphrase, self.salt, cost=self.cost, block=self.block, repeat=self.repeat))


def new_master() -> bytes:
    """Return a new master key."""
    return os.urandom(KEY_SIZE)


def add(place: Place, master: bytes, passphrase: str, *, note: str, created: str) -> str:
    """Let one more passphrase open the vault; return the name of its key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    name, salt = os.urandom(4).hex(), os.urandom(SALT_SIZE)
    stretched = _stretched(passphrase, salt, cost=COST, block=BLOCK, repeat=REPEAT)
    # The salt is new each time, so that this key seals nothing else and a nonce of zeros is safe.
    sealed = AESGCM(stretched).encrypt(bytes(12), master, _bound(name))
    content = {
        "note": note,
        "created": created,
        "scrypt": {"n": COST, "r": BLOCK, "p": REPEAT, "salt": salt.hex()},
        "sealed": sealed.hex(),
    }
    if not place.put_new(f"{FOLDER}{name}{SUFFIX}", (json.dumps(content, indent=2) + "\n").encode()):
        raise AssertionError("a random name was taken")
    list_names(place)
    return name


def remove(place: Place, name: str) -> None:
    """Let a passphrase open the vault no more; whoever has had the master key keeps it."""
    place.delete(f"{FOLDER}{name}{SUFFIX}")
    list_names(place)


def list_names(place: Place) -> list[str]:
    """Return the names of all keys, after writing them down for readers that cannot list (a web server)."""
    listed = sorted(_key_name(found.name) for found in place.list(FOLDER) if found.name.endswith(SUFFIX))
    place.put(NAMES, "".join(f"{name}\n" for name in listed).encode())
    return listed


def names(place: Reader) -> list[str]:
    """Return the names of all keys."""
    if isinstance(place, Place):
        return sorted(_key_name(found.name) for found in place.list(FOLDER) if found.name.endswith(SUFFIX))
    try:
        return place.get(NAMES, limit=LIMIT).decode(errors="replace").splitlines()
    except MissingFileError:
        return []


def _key_name(path: str) -> str:
    return path.removeprefix(FOLDER).removesuffix(SUFFIX)


def read(place: Reader, name: str) -> SealedKey:
    """Return a key's file. Raises DamagedFileError if it is none, or asks for more memory than it should."""
    path = f"{FOLDER}{name}{SUFFIX}"
    try:
        content = json.loads(place.get(path, limit=LIMIT))
        terms = content["scrypt"]
        cost, block, repeat = (int(terms[word]) for word in ("n", "r", "p"))
        if not (1 < cost <= COST_LIMIT and cost & (cost - 1) == 0 and 0 < block <= BLOCK and 0 < repeat <= 16):
            raise ValueError(f"it asks for scrypt with n={cost}, r={block}, p={repeat}")
        return SealedKey(
            name=name,
            note=str(content["note"]),
            created=str(content["created"]),
            cost=cost,
            block=block,
            repeat=repeat,
            salt=bytes.fromhex(terms["salt"]),
            sealed=bytes.fromhex(content["sealed"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFileError(path, where=place.place, reason=str(error) or type(error).__name__) from None


def unlock(sealed: list[SealedKey], secret: str) -> bytes | None:
    """Return the master key that a passphrase, or the recovery key, opens; None if it is neither."""
    if secret.strip().lower().startswith(RECOVERY):
        return recovered(secret)
    return next((master for key in sealed if (master := key.open(secret)) is not None), None)


def recovery(master: bytes) -> str:
    """Return the master key in letters: a line of groups of five."""
    checked = master + hashlib.sha256(master).digest()[:CHECK_SIZE]
    letters = base64.b32encode(checked).decode().rstrip("=").lower()
    return RECOVERY + "-".join(textwrap.wrap(letters, GROUP))


def recovered(text: str) -> bytes:
    """Return the master key that a recovery key says. Raises InputError if it was not copied well."""
    letters = text.strip().lower().removeprefix(RECOVERY).replace("-", "").replace(" ", "").upper()
    try:
        checked = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        checked = b""
    master, check = checked[:KEY_SIZE], checked[KEY_SIZE:]
    if len(checked) != KEY_SIZE + CHECK_SIZE or hashlib.sha256(master).digest()[:CHECK_SIZE] != check:
        raise InputError("the recovery key is not as it was written down", hint="look at each letter again")
    return master


def fingerprint(master: bytes) -> str:
    """Return what tells a master key from others and gives nothing of it away."""
    return derived(master, b"jeos vault fingerprint")[:8].hex()


def seal_of(master: bytes, *, expected: str, where: str) -> KeyedSeal:
    """Return what seals a vault's files. Raises TrustError if the key is another vault's."""
    if fingerprint(master) != expected:
        raise TrustError(f"this is the key of another vault than {where}", hint="name the vault, or take its own key")
    return KeyedSeal(master)


def _stretched(passphrase: str, salt: bytes, *, cost: int, block: int, repeat: int) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=cost, r=block, p=repeat, maxmem=256 * cost * block, dklen=KEY_SIZE
    )


def _bound(name: str) -> bytes:
    return f"jeos vault key {name}".encode()

"""Keys for tests of channels, made when they are asked for: a root of trust and those who sign.

made = vendor()
publish(backend, …, keys=made.keys())
"""

import datetime
from dataclasses import dataclass

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization.json import JSONSerializer

from jeos.channel.change import EXPIRES, Keys

ROLES = ("root", "targets", "snapshot", "timestamp")
NOW = 1_790_000_000.0  # seconds since 1970: September 2026


@dataclass
class Clock:
    """A clock that tests set."""

    time: float = NOW

    def __call__(self) -> float:
        return self.time


@dataclass
class Vendor:
    """The keys of one vendor, with all versions of the root."""

    signers: dict[str, CryptoSigner]
    roots: tuple[bytes, ...]
    clock: Clock

    def keys(self, *, without: tuple[str, ...] = (), expires: float = EXPIRES, gpg_key: str = "") -> Keys:
        """Return what signs, without the keys of some roles."""

        def signers(role: str) -> list[Signer]:
            return [] if role in without else [self.signers[role]]

        return Keys(roots=self.roots, signers=signers, expires=expires, gpg_key=gpg_key, now=self.clock)


def vendor(*, clock: Clock | None = None) -> Vendor:
    """Make new keys, and the first version of a root for them."""
    signers = {role: CryptoSigner.generate_ed25519() for role in ROLES}
    clock = clock or Clock()
    root = Root(expires=datetime.datetime.fromtimestamp(int(clock.time) + 3650 * 86400, tz=datetime.UTC))
    for role, signer in signers.items():
        root.add_key(signer.public_key, role)
    metadata = Metadata(root)
    metadata.sign(signers["root"])
    return Vendor(signers, (metadata.to_bytes(JSONSerializer()),), clock)

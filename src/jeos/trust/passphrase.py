"""Passphrases of keys: from a file descriptor, from the environment, or asked for.

    passphrases = Passphrases.find(descriptor=args.passphrase_fd, ask=getpass.getpass)
    key = passphrases.open(pem, name="the root key 3f9a12cd")

Several may be given, one a line, where keys have different ones: each is tried. Never on the command line, which
everybody on the machine can read.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jeos.core import settings
from jeos.core.errors import InputError, TrustError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

Ask = Callable[[str], str]  # prompt -> what was typed
TRIES = 3
LIMIT = 1 << 16  # bytes read from the descriptor
HINT = "set JEOS_PASSPHRASE, or use --passphrase-fd"


@dataclass(frozen=True)
class Passphrases:
    """Passphrases that were given, and a way to `ask` for more, which is None where nobody sits."""

    given: tuple[str, ...] = ()
    ask: Ask | None = None

    @classmethod
    def find(cls, *, descriptor: int | None = None, ask: Ask | None = None) -> "Passphrases":
        """Take what the file descriptor holds, one a line, else what the environment says (JEOS_PASSPHRASE)."""
        if descriptor is None:
            value = settings.passphrase()
            return cls(given=(value,) if value else (), ask=ask)
        try:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                lines = file.read(LIMIT).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"no passphrase can be read from descriptor {descriptor}: {error}") from None
        return cls(given=tuple(line for line in lines if line), ask=ask)

    def open(self, pem: bytes, *, name: str) -> "PrivateKeyTypes":
        """Read a private key with the passphrase that fits. Raises TrustError if none does."""
        from jeos.trust import pkcs8  # with cryptography, which whoever only asks for passphrases need not load

        if not pkcs8.is_sealed(pem):
            return pkcs8.load(pem, passphrase=None, name=name)
        for passphrase in self.given:
            try:
                return pkcs8.load(pem, passphrase=passphrase, name=name)
            except TrustError:
                continue
        if self.ask is None:
            wrong = "none of the passphrases opens" if self.given else "there is no passphrase for"
            raise TrustError(f"{wrong} {name}", hint=HINT)
        for left in reversed(range(TRIES)):
            try:
                return pkcs8.load(pem, passphrase=self.ask(f"Passphrase of {name}: "), name=name)
            except TrustError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def for_new(self, name: str) -> str:
        """Return the passphrase for a new key: the first that was given, or one that is typed twice."""
        if self.given:
            return self.given[0]
        if self.ask is None:
            raise UsageError(f"there is no passphrase for {name}", hint=HINT)
        for _ in range(TRIES):
            first = self.ask(f"New passphrase for {name}: ")
            if first and first == self.ask("The same again: "):
                return first
        raise InputError(f"no passphrase was chosen for {name}", hint="type the same one twice; it may not be empty")

    def pin(self, name: str) -> str:
        """Return the PIN of a token: the first passphrase that was given, or one that is asked for."""
        if self.given:
            return self.given[0]
        if self.ask is None:
            raise UsageError(f"there is no PIN for {name}", hint=HINT)
        return self.ask(f"PIN of {name}: ")

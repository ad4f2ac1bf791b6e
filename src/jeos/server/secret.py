"""The server's secrets: made when they are wanted first, kept in the data folder, readable by their owner only."""

import secrets
from collections.abc import Callable
from pathlib import Path

from jeos.core import files
from jeos.core.errors import HostError

NAME = "secret-key"
BYTES = 48  # of randomness, as Django recommends at least 50 characters of text
PRIVATE = 0o600


def secret_key(folder: Path) -> str:
    """Return the secret key that is kept in `folder`, and make it if there is none yet.

    Raises HostError if others can read it: what it signed could be forged.
    """
    path = folder / NAME
    return (
        kept(
            path,
            lock=folder / ".secret.lock",
            make=lambda: secrets.token_urlsafe(BYTES),
            hint=f"chmod 600 {path}, or delete it for a new one",
        )
        .decode()
        .strip()
    )


def kept(path: Path, *, lock: Path, make: Callable[[], str], hint: str) -> bytes:
    """Return the secret that a file keeps, and `make` it if there is none; `lock` lets one process do that.

    Raises HostError, with the `hint`, if others can read it.
    """
    with files.locked(lock):
        if not path.exists():
            files.write(path, make(), mode=PRIVATE)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise HostError(f"others can read {path} (mode {mode:o})", hint=hint)
    return path.read_bytes()

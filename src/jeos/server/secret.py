"""The server's secret key: made at the first start, kept in the data folder, readable by its owner only."""

import secrets
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
    with files.locked(folder / ".secret.lock"):
        if not path.exists():
            files.write(path, secrets.token_urlsafe(BYTES), mode=PRIVATE)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise HostError(f"others can read {path} (mode {mode:o})", hint=f"chmod 600 {path}, or delete it for a new one")
    return path.read_text().strip()

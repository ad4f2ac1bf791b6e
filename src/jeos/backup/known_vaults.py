"""The vaults that this user has used: a place where another one stands today is not trusted.

Whoever can write to a place could put an empty vault there that does not encrypt, and the next backup would go into it
in the clear; a disk that is not mounted looks like a place without any vault. So each vault's number is kept, on this
host, beside the machines: one small file for each place.
"""

import contextlib
import hashlib
import json
from pathlib import Path

from jeos.core import files
from jeos.core.errors import TrustError, UsageError
from jeos.core.settings import state_dir
from jeos.store.vault import Vault


def note(vault: Vault) -> None:
    """Remember that this vault is the one at its place."""
    content = {"place": vault.where, "id": vault.id, "encrypted": vault.encrypted}
    # Who may not write to the own state can still read backups.
    with contextlib.suppress(PermissionError), files.replace(_file(vault.where), mode=0o600, durable=False) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def check(vault: Vault) -> Vault:
    """Return the vault if it is the one that was at its place before, or the first one; raises TrustError."""
    known = _number(vault.where)
    if not known:
        note(vault)
    elif known != vault.id:
        raise TrustError(
            f"the vault at {vault.where} is not the one that was there: {vault.id[:8]}, "
            f"{'encrypted' if vault.encrypted else 'not encrypted'}, in place of {known[:8]}",
            hint=f"find out who changed it; if it was you, delete {_file(vault.where)}",
        )
    return vault


def check_new(place: str) -> None:
    """Raise UsageError if there was a vault at a place that has none now: a disk may not be mounted."""
    known = _number(place)
    if known:
        raise UsageError(
            f"the vault {known[:8]} is gone from {place}",
            hint="mount what it is on; `jeos backup init` makes a new one, if it was deleted on purpose",
        )


def _number(place: str) -> str:
    """Return the number of the vault that was at a place; nothing if none is known."""
    try:
        return str(json.loads(_file(place).read_bytes())["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _file(place: str) -> Path:
    return state_dir() / "vaults" / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.json"

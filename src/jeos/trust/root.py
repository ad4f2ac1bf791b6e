"""The vendor's root: which keys may sign for which role, and how many must; changed by new versions of it.

A new version must be signed as the old one demands and as it demands itself (TUF specification 5.3.4), so that who
trusts any version can follow to the newest.
"""

import copy
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Role, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from jeos.core.errors import InputError, UsageError
from jeos.trust.crypto import verifying

ROLES = (Root.type, Targets.type, Snapshot.type, Timestamp.type)
OFFLINE = (Root.type, Targets.type)  # keys that decide what runs; the others only say that it is the newest
DAY = 86400  # seconds
LIFE = 730 * DAY  # seconds that a version of the root is good for
KEYID_PREFIX = 8  # hexadecimal digits of a key's id that people see and type, at least


@dataclass(frozen=True)
class Wanted:
    """The keys of a role, and how many of them must sign."""

    keys: Sequence[Key]
    threshold: int = 1


def first(roles: Mapping[str, Wanted], *, now: float, life: float = LIFE) -> Root:
    """Return version 1 of a root. Raises UsageError for a threshold that the keys cannot reach."""
    root = Root(version=1, consistent_snapshot=True, expires=_end(now, life))
    for role in ROLES:
        wanted = roles[role]
        if not 1 <= wanted.threshold <= len(wanted.keys):
            raise UsageError(
                f"{wanted.threshold} of {len(wanted.keys)} keys cannot sign for {role}",
                hint="the threshold is at least 1, and at most the number of keys",
            )
        root.roles[role] = Role([], wanted.threshold)
        for key in wanted.keys:
            root.add_key(verifying(key), role)
    return root


def follow(
    old: Root, *, add: Sequence[tuple[str, Key]] = (), remove: Sequence[tuple[str, str]] = (), now: float, life: float
) -> Root:
    """Return the next version of a root, with keys added and removed: pairs of a role and a key, or a key's id."""
    root = copy.deepcopy(old)
    for role, keyid in remove:
        root.revoke_key(keyid, role)
    for role, key in add:
        root.add_key(verifying(key), role)
    root.version, root.expires = old.version + 1, _end(now, life)
    return root


def lacking(metadata: Metadata[Root], *, old: Root | None) -> int:
    """Return how many signatures a version of the root lacks still, at least."""
    judges = (metadata.signed, *([old] if old else []))
    return max(
        judge.get_verification_result(Root.type, metadata.signed_bytes, metadata.signatures).missing for judge in judges
    )


def roles_of(root: Root, keyid: str) -> list[str]:
    """Return the roles that a key may sign for."""
    return [role for role in ROLES if keyid in root.roles[role].keyids]


def find_key(root: Root, text: str) -> str:
    """Return the id of the one key whose id starts with `text`. Raises UsageError if it is none, or more than one."""
    found = [keyid for keyid in root.keys if keyid.startswith(text)]
    if len(text) < KEYID_PREFIX or len(found) != 1:
        why = "is too short" if len(text) < KEYID_PREFIX else "is that of no key" if not found else "fits several keys"
        raise UsageError(f"the key id {text!r} {why}", hint="`jeos keys show` lists the keys")
    return found[0]


def replaced(root: Root, role: str, keyid: str | None) -> str:
    """Return which key of a role a new one replaces: its only one, unless `keyid` says which."""
    keyids: list[str] = root.roles[role].keyids
    if keyid is None and len(keyids) > 1:
        raise UsageError(f"the role {role} has {len(keyids)} keys", hint="say which one to replace: --key KEYID")
    found = keyids[0] if keyid is None else find_key(root, keyid)
    if found not in keyids:
        raise UsageError(f"the key {found[:KEYID_PREFIX]} is none of the role {role}", hint="see `jeos keys show`")
    return found


def encode(metadata: Metadata[Root]) -> bytes:
    """Return a root as the bytes of its file."""
    return metadata.to_bytes(JSONSerializer(compact=True))


def _end(now: float, life: float) -> datetime.datetime:
    try:
        return datetime.datetime.fromtimestamp(int(now + life), tz=datetime.UTC)
    except (OverflowError, ValueError):
        raise InputError(f"{life:g} seconds from now is no date", hint="choose a shorter time") from None

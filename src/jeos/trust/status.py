"""What there is to say of a folder of keys: who may sign for what, where the keys are, what is about to expire."""

import datetime
from dataclasses import dataclass

from tuf.api.metadata import Root

from jeos.trust.keys import PENDING, Keys
from jeos.trust.root import DAY, OFFLINE, ROLES
from jeos.trust.trusted import TIME_FORMAT

WARN_DAYS = 90  # before the root expires: people are on holiday, and machines must learn of the next in time
ELSEWHERE = "not here"


@dataclass(frozen=True)
class HeldKey:
    """A key, and where its private half is: a path, `token`, or nowhere that can be reached now."""

    id: str
    scheme: str
    place: str


@dataclass(frozen=True)
class HeldRole:
    """A role, its keys, and how many of them must sign."""

    name: str
    threshold: int
    keys: tuple[HeldKey, ...]


@dataclass(frozen=True)
class Pending:
    """A version of the root that waits for signatures, with the keys that it adds and removes."""

    version: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """The newest root of a folder of keys; `expires` in ISO 8601, UTC."""

    version: int
    expires: str
    days_left: int
    roles: tuple[HeldRole, ...]
    pending: Pending | None
    warnings: tuple[str, ...]


def status(keys: Keys, *, now: float) -> Status:
    """Describe a folder of keys; `now` is in seconds since the epoch."""
    root = keys.root
    days = int((root.expires - datetime.datetime.fromtimestamp(now, tz=datetime.UTC)).total_seconds() // DAY)
    roles = tuple(_role(keys, root, name) for name in ROLES)
    pending = _pending(keys, root)
    return Status(
        version=root.version,
        expires=root.expires.strftime(TIME_FORMAT),
        days_left=days,
        roles=roles,
        pending=pending,
        warnings=tuple(_warnings(keys, roles, days=days, pending=pending)),
    )


def _role(keys: Keys, root: Root, name: str) -> HeldRole:
    role = root.roles[name]
    held = (HeldKey(id=keyid, scheme=root.keys[keyid].scheme, place=_place(keys, keyid)) for keyid in role.keyids)
    return HeldRole(name=name, threshold=role.threshold, keys=tuple(held))


def _place(keys: Keys, keyid: str) -> str:
    path = keys.place(keyid)
    if path is None:
        return ELSEWHERE
    return "token" if path.suffix == ".uri" else str(path.parent)


def _pending(keys: Keys, root: Root) -> Pending | None:
    waiting = keys.pending
    if waiting is None:
        return None
    then, soon = set(root.keys), set(waiting.signed.keys)
    return Pending(version=waiting.signed.version, added=tuple(sorted(soon - then)), removed=tuple(sorted(then - soon)))


def _warnings(keys: Keys, roles: tuple[HeldRole, ...], *, days: int, pending: Pending | None) -> list[str]:
    found = []
    if days < 0:
        found.append("the root has expired: no machine takes an update; run `jeos keys renew`, then publish")
    elif days < WARN_DAYS:
        found.append(f"the root expires in {days} days; run `jeos keys renew`, then publish")
    if pending is not None:
        found.append(f"{keys.folder / PENDING} waits for signatures; `jeos keys sign` adds them")
    beside = [role.name for role in roles if role.name in OFFLINE and _beside(keys, role)]
    if beside:
        found.append(
            f"private keys of {' and '.join(beside)} lie beside the others: move these folders to a medium that stays "
            "in a safe (with a copy), and name it with --offline"
        )
    return found


def _beside(keys: Keys, role: HeldRole) -> bool:
    return any(key.place == str(keys.folder / role.name) for key in role.keys)

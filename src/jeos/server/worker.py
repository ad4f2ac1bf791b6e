"""The only way from the server to the steps of jeos (build, channel, store): functions that tasks of a worker call.

A web request never starts a build, a machine or a program: it enqueues a task, and `jeos server work` (one or many of
them, on one host or many) runs it. Import-linter holds that no other module of the server imports a step; sections
import this one within their tasks, so that a process that answers does not carry what only a worker needs.

    seen = worker.follow("https://updates.example/hello", root=root, folder=folder, known={}, rules=settings.OUTSIDE)
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import OK
from pathlib import Path
from urllib.parse import quote

from jeos.channel import follow as steps
from jeos.core.errors import NetworkError
from jeos.server import outside
from jeos.server.outside import Rules

SECONDS = 60.0  # for one channel in all
GONE = (403, 404, 410)  # buckets that may not be listed say 403 for what is not there


@dataclass(frozen=True)
class Key:
    """Who signs for a role."""

    role: str
    ids: tuple[str, ...]
    scheme: str
    threshold: int


@dataclass(frozen=True)
class Release:
    """A release as a channel lists it; `content` is None for one whose description was known."""

    version: str
    description: str  # its SHA-256
    ring: str
    percent: int
    withdrawn: bool
    content: "Content | None"


@dataclass(frozen=True)
class Content:
    """What a release is: sizes in bytes, `date` in seconds since 1970."""

    name: str
    architecture: str
    date: int
    root_hash: str
    kernel_sha256: str
    system_size: int
    kernel_size: int
    download_size: int
    notes: str


@dataclass(frozen=True)
class Channel:
    """What the vendor's keys vouch for, until `expires` (seconds since 1970)."""

    releases: tuple[Release, ...]
    keys: tuple[Key, ...]
    expires: float


def follow(address: str, *, root: bytes, folder: Path, known: Mapping[str, str], rules: Rules) -> Channel:
    """Read a channel that somebody named, and return what is signed.

    Raises outside.Refused for an address that the server does not go to, and what `jeos.channel.follow` raises.
    """
    (folder / "roots").mkdir(parents=True, exist_ok=True, mode=0o700)
    end = time.monotonic() + SECONDS

    def get(name: str, limit: int) -> bytes | None:
        left = max(0.0, end - time.monotonic())
        answer = outside.request("GET", f"{address.rstrip('/')}/{quote(name)}", rules=rules, seconds=left, limit=limit)
        if answer.status in GONE:
            return None
        if answer.status != OK or not answer.whole:
            what = f"more than {limit} bytes" if answer.whole is False else str(answer.status)
            raise NetworkError(f"{address} answers {what} for {name}", hint="look at the server's log")
        return answer.body

    found = steps.follow(address, get, root=root, folder=folder, now=time.time(), known=known)
    return Channel(
        releases=tuple(_release(one) for one in found.releases),
        keys=tuple(Key(role=key.role, ids=key.ids, scheme=key.scheme, threshold=key.threshold) for key in found.keys),
        expires=found.expires,
    )


def _release(one: steps.Seen) -> Release:
    content = None
    if one.release is not None:
        release = one.release
        content = Content(
            name=release.name,
            architecture=release.architecture,
            date=release.date,
            root_hash=release.root_hash,
            kernel_sha256=release.kernel.sha256,
            system_size=release.system.size,
            kernel_size=release.kernel.length,
            download_size=release.kernel.length + release.index.length + sum(pack.length for pack in release.packs),
            notes=release.notes,
        )
    return Release(
        version=one.version,
        description=one.sha256,
        ring=one.terms.ring,
        percent=one.terms.percent,
        withdrawn=one.terms.withdrawn,
        content=content,
    )

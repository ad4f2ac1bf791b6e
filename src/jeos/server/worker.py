"""The only way from the server to the steps of jeos (build, channel, store): functions that tasks of a worker call.

A web request never starts a build, a machine or a program: it enqueues a task, and `jeos server work` (one or many of
them, on one host or many) runs it. Import-linter holds that no other module of the server imports a step; sections
import this one within their tasks, so that a process that answers does not carry what only a worker needs.

    seen = worker.follow("https://updates.example/hello", root=root, folder=folder, known={}, rules=settings.OUTSIDE)
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import OK
from pathlib import Path
from urllib.parse import quote
from uuid import NAMESPACE_DNS, uuid5

from jeos.channel import example
from jeos.channel import follow as steps
from jeos.core.errors import NetworkError
from jeos.model import release
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

    return _follow(address, get, root=root, folder=folder, known=known)


def write_example(folder: Path, contents: Mapping[str, Content], *, now: float) -> bytes:
    """Write the channel of an example, signed at a time by keys that are made for it, and return its root.

    It lists the contents by version; the blobs that they speak of are nowhere.
    """
    return example.write(folder, [_described(version, content) for version, content in contents.items()], now=now)


def _described(version: str, content: Content) -> release.Release:
    blobs = [release.Blob(hashlib.sha256(part.encode()).hexdigest(), release.BLOCK) for part in ("index", "pack")]
    rest = max(content.download_size - content.kernel_size - release.BLOCK, 1)
    uuid = str(uuid5(NAMESPACE_DNS, f"{version}.{content.name}.example"))
    return release.Release(
        name=content.name,
        version=version,
        architecture=content.architecture,
        date=content.date,
        root_hash=content.root_hash,
        system=release.System(content.system_size, uuid, "", content.date, release.BLOCK, uuid, ""),
        kernel=release.Blob(content.kernel_sha256, content.kernel_size),
        index=blobs[0],
        packs=(release.Blob(blobs[1].sha256, rest),),
        notes=content.notes,
    )


def follow_example(address: str, place: Path, *, root: bytes, folder: Path) -> Channel:
    """Read an example's channel where it was written, as one at an address; raises what `follow` does."""
    return _follow(address, example.get_from(place), root=root, folder=folder, known={})


def _follow(address: str, get: steps.Get, *, root: bytes, folder: Path, known: Mapping[str, str]) -> Channel:
    (folder / "roots").mkdir(parents=True, exist_ok=True, mode=0o700)
    found = steps.follow(address, get, root=root, folder=folder, now=time.time(), known=known)
    return Channel(
        releases=tuple(_release(one) for one in found.releases),
        keys=tuple(Key(role=key.role, ids=key.ids, scheme=key.scheme, threshold=key.threshold) for key in found.keys),
        expires=found.expires,
    )


def _release(one: steps.Seen) -> Release:
    content = None
    if one.release is not None:
        said = one.release
        content = Content(
            name=said.name,
            architecture=said.architecture,
            date=said.date,
            root_hash=said.root_hash,
            kernel_sha256=said.kernel.sha256,
            system_size=said.system.size,
            kernel_size=said.kernel.length,
            download_size=said.kernel.length + said.index.length + sum(pack.length for pack in said.packs),
            notes=said.notes,
        )
    return Release(
        version=one.version,
        description=one.sha256,
        ring=one.terms.ring,
        percent=one.terms.percent,
        withdrawn=one.terms.withdrawn,
        content=content,
    )

"""Read the releases that a channel offers out of its signed metadata; what is not one of ours is left out.

A release is the target `releases/NAME_VERSION.json`, and what the vendor decides about it later is beside its digest:

    {"version": "1.1", "ring": "stable", "percent": 40, "critical": false, "withdrawn": false, "date": "2026-11-23"}
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from jeos.update.plan import EVERYBODY, Offer

PATH = re.compile(r"releases/(?P<name>[a-z0-9][a-z0-9.-]*)_(?P<version>[0-9A-Za-z][0-9A-Za-z.^~+-]{0,63})\.json")


class Target(Protocol):
    """A file that signed metadata vouches for; `jeos.trust.client.Target` is one."""

    @property
    def path(self) -> str:
        """Return its path below `targets/`."""

    @property
    def sha256(self) -> str:
        """Return its SHA-256."""

    @property
    def custom(self) -> Mapping[str, object]:
        """Return what the vendor says of it."""


def offers_of(targets: Iterable[Target], *, name: str) -> Iterator[Offer]:
    """Yield the releases of the appliance with this name.

    Where the vendor's word on one makes no sense, the careful meaning holds: a percentage that is none is 0.
    """
    for target in targets:
        match = PATH.fullmatch(target.path)
        said = target.custom
        if match is None or match["name"] != name or said.get("version", match["version"]) != match["version"]:
            continue
        ring = said.get("ring", EVERYBODY)
        percent = said.get("percent", 100)
        usable = isinstance(percent, int | float) and not isinstance(percent, bool) and 0 <= percent <= 100
        yield Offer(
            version=match["version"],
            path=target.path,
            sha256=target.sha256,
            ring=ring if isinstance(ring, str) else "",
            percent=float(percent) if usable and isinstance(percent, int | float) else 0.0,
            critical=said.get("critical", False) is True,
            withdrawn=said.get("withdrawn", False) is not False,
        )

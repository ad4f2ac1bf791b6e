"""Small vaults for tests: points whose document is the list of the chunks they need, and places that misbehave.

world = World(MemoryPlace())
world.backup("web01/1", ["a", "b"])          # chunks by their names; each name stands for one content
world.check({"web01/1": ["a", "b"]})         # everything comes back, by a vault that is opened anew
"""

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jeos.store.places.memory import MemoryPlace
from jeos.store.places.place import GET_LIMIT, Found
from jeos.store.vault import Vault
from jeos.store.vault_index import ID_SIZE

CHUNK = 4 << 10


def content(name: str) -> bytes:
    """Return the chunk that a name stands for; it cannot be compressed."""
    return random.Random(name).randbytes(CHUNK)


def needs(vault: Vault, point: str) -> Iterator[bytes]:
    """Yield the chunks of a point."""
    document = vault.read_point(point)
    for start in range(0, len(document), ID_SIZE):
        yield document[start : start + ID_SIZE]


def backup(vault: Vault, point: str, names: Iterable[str]) -> None:
    """Write a point with these chunks."""
    with vault.session() as session:
        ids = [session.write(content(name)) for name in names]
        session.commit_point(point, b"".join(ids))


def stored(vault: Vault) -> dict[str, list[bytes]]:
    """Return what each point holds, read again."""
    return {point: vault.read_many(list(needs(vault, point))) for point in vault.points()}


def expected(points: dict[str, list[str]]) -> dict[str, list[bytes]]:
    """Return what the points are to hold."""
    return {point: [content(name) for name in names] for point, names in points.items()}


class Killed(BaseException):
    """The process is dead from here on: nothing that it does reaches the place any more."""


class SteppedPlace:
    """A place that counts what is asked of it; before step `at` it does something else, or dies."""

    def __init__(self, inner: MemoryPlace, *, at: int = -1, act: Callable[[], None] | None = None) -> None:
        self.inner, self.at, self.act = inner, at, act
        self.steps = 0
        self.dead = False

    @property
    def place(self) -> str:
        return self.inner.place

    def _step(self) -> None:
        if self.dead:
            raise Killed
        self.steps += 1
        if self.steps - 1 == self.at:
            if self.act is None:
                self.dead = True
                raise Killed
            self.act()

    def stat(self, name: str) -> Found | None:
        self._step()
        return self.inner.stat(name)

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        self._step()
        return self.inner.get(name, offset=offset, limit=limit)

    def put_new(self, name: str, data: bytes | bytearray | Path) -> bool:
        self._step()
        return self.inner.put_new(name, data)

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        self._step()
        self.inner.put(name, data, replaces=replaces)

    def list(self, prefix: str = "") -> Iterator[Found]:
        self._step()
        yield from self.inner.list(prefix)

    def delete(self, name: str) -> None:
        self._step()
        self.inner.delete(name)

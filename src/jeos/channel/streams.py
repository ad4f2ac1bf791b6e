"""The streams of a patch as they are made, and a memory for what several patches to one release have in common.

memory = Memory()
for old in earlier:
    patch = make_patch(old, new, memory=memory)     # the second one takes little where the releases are alike
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, TypeVar

from jeos.channel import differences
from jeos.channel.differences import Difference
from jeos.disk import zstd_library as zstd
from jeos.model import numbers, sparse

LEVEL = 19
T = TypeVar("T")
KEPT_LEVEL = 1  # of what the memory holds: mostly zeros


@dataclass(slots=True)
class Memory:
    """Results by what they were made of; one for all patches of one publishing."""

    _found: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returned when first asked for `key`."""
        if key not in self._found:
            self._found[key] = make()
        found: T = self._found[key]
        return found

    def difference(self, old: bytes, new: bytes) -> Difference:
        """Return what makes `new` of `old`."""

        def make() -> Difference:
            made = differences.difference(old, new)
            return replace(made, sums=zstd.compress(made.sums, level=KEPT_LEVEL))

        kept = self.once(("difference", digest(old), digest(new)), make)
        return replace(kept, sums=zstd.decompress(kept.sums, size=sum(kept.copies)))

    def compress(self, data: bytes, *, level: int, prefix: bytes) -> bytes:
        """Return a stream packed behind `prefix`."""
        window = zstd.PREFIX_WINDOW_LOG if prefix else zstd.WINDOW_LOG
        return self.once(
            ("stream", level, digest(data), digest(prefix)),
            lambda: zstd.compress(data, level=level, window_log=window, prefix=prefix),
        )


def digest(data: bytes) -> bytes:
    """Return what tells contents apart."""
    return sha256(data).digest()


@dataclass(slots=True)
class Streams:
    """The streams of one patch, packed."""

    memory: Memory = field(default_factory=Memory)
    packed: list[tuple[bytes, int]] = field(default_factory=list)

    def add(self, data: bytes, *, prefix: bytes = b"", level: int = LEVEL) -> int:
        """Pack a stream and return its number."""
        self.packed.append((self.memory.compress(data, level=level, prefix=prefix), len(data)))
        return len(self.packed) - 1

    def add_difference(self, steps: Sequence[Difference]) -> list[int]:
        """Pack the seven streams of differences that are applied one after the other; return their numbers."""
        gaps, lengths, others = sparse.encode(b"".join(one.sums for one in steps))
        return [
            self.add(numbers.pack(number for one in steps for number in one.copies)),
            self.add(numbers.pack(number for one in steps for number in one.inserts)),
            self.add(numbers.pack(numbers.fold(number) for one in steps for number in one.seeks)),
            self.add(numbers.pack(gaps)),
            self.add(numbers.pack(lengths)),
            self.add(others),
            self.add(b"".join(one.extra for one in steps)),
        ]

"""Make a patch: what one release has that an older one has not, file by file.

    patch = make_patch(old, new)         # bytes that docs/reference/patch-format.md describes

Each changed content is compared with its predecessor: programs, libraries and kernel modules byte by byte (bsdiff),
all else by zstd with the old contents as what it has seen already. What is alike is compressed together.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jeos.channel import delta_kernel, predecessors
from jeos.channel.differences import Difference
from jeos.channel.source import Source, contents, outlined
from jeos.channel.streams import LEVEL, Memory, Streams
from jeos.disk import zstd_library as zstd
from jeos.model import container, numbers
from jeos.model.patch import BATCH_BYTES, FORMAT, Group, Operation
from jeos.model.tree import Entry

ELF = b"\x7fELF"
LEAST_COPIED = 0.4  # of a program; with less in common than this, it is not worth comparing byte by byte


@dataclass(slots=True)
class _Made:
    """A content that the patch makes: its number and bytes, and its predecessor's entry and bytes."""

    entry: Entry
    data: bytes
    old: Entry | None
    before: bytes
    steps: Difference | None = None


def make_patch(old: Source, new: Source, *, memory: Memory | None = None) -> bytes:
    """Return a patch that makes the slot and the kernel image of `new` out of those of `old`.

    With a `memory` that other patches to `new` were made with, what they have in common is not made again.
    """
    streams = Streams(memory or Memory())
    made = _changed(old, new)
    groups = _grouped(made, memory=streams.memory)
    outline_stream = streams.add(outlined(new), prefix=outlined(old))
    order = {id(one): number for number, (_, members) in enumerate(groups) for one in members}
    group_of = {one.entry.digest: order[id(one)] for one in made}
    operations = _operations(old, new, group_of=group_of, predecessor={one.entry.digest: one.old for one in made})
    head: dict[str, object] = {
        "format": FORMAT,
        "base": {"root_hash": old.root_hash, "kernel": hashlib.sha256(old.kernel.read_bytes()).hexdigest()},
        "outline": outline_stream,
        "operations": streams.add(numbers.pack(operations)),
        "digests": streams.add(b"".join(bytes.fromhex(one.entry.digest) for one in made)),
        "groups": [_write_group(kind, members, streams) for kind, members in groups],
        "kernel": delta_kernel.make(old, new, streams),
    }
    return container.dump(
        container.PATCH, head=head, streams=streams.packed, pack=lambda text: zstd.compress(text, level=LEVEL)
    )


def _changed(old: Source, new: Source) -> list[_Made]:
    """Return the contents that the older release has not, each once, in tree order."""
    old_contents = contents(old.tree)
    have = {entry.digest for entry in old_contents}
    wanted: dict[str, Entry] = {}
    for entry in contents(new.tree):
        if entry.digest not in have:
            wanted.setdefault(entry.digest, entry)
    found = predecessors.find(
        wanted.values(),
        old=old_contents,
        kept=frozenset(entry.path for entry in new.tree),
        read_old=old.read,
        read_new=new.read,
    )
    made = []
    for entry in wanted.values():
        before = found.get(entry.path)
        made.append(_Made(entry, new.read(entry.digest), before, old.read(before.digest) if before else b""))
    return made


def _grouped(made: Iterable[_Made], *, memory: Memory) -> list[tuple[Group, list[_Made]]]:
    """Decide how each content is made: modules and other programs by differences, the rest in batches."""
    modules: list[_Made] = []
    programs: list[_Made] = []
    rest: list[_Made] = []
    for one in made:
        if one.data.startswith(ELF) and one.before.startswith(ELF):
            one.steps = memory.difference(one.before, one.data)
            if sum(one.steps.copies) >= len(one.data) * LEAST_COPIED:
                (modules if one.entry.path.endswith(".ko") else programs).append(one)
                continue
        rest.append(one)
    groups = [(Group.DIFFERENCES, members) for members in (modules, programs) if members]
    return groups + _batches(rest)


def _batches(rest: Iterable[_Made]) -> list[tuple[Group, list[_Made]]]:
    """Put the rest together as far as old and new contents fit into memory; what does not fit streams by itself."""
    groups: list[tuple[Group, list[_Made]]] = []
    batch: list[_Made] = []
    used = 0
    large = []
    for one in rest:
        length = len(one.data) + len(one.before)
        if length > BATCH_BYTES:
            one.old, one.before = None, b""
            large.append(one)
            continue
        if used + length > BATCH_BYTES:
            groups.append((Group.BATCH, batch))
            batch, used = [], 0
        batch.append(one)
        used += length
    if batch:
        groups.append((Group.BATCH, batch))
    if large:
        groups.append((Group.PLAIN, large))
    return groups


def _write_group(kind: Group, members: Sequence[_Made], streams: Streams) -> dict[str, object]:
    """Write the streams of a group and return what the head says of it."""
    if kind is Group.DIFFERENCES:
        return {
            "kind": kind.value,
            "streams": streams.add_difference([one.steps for one in members if one.steps is not None]),
        }
    data = b"".join(one.data for one in members)
    before = b"".join(one.before for one in members)
    return {"kind": kind.value, "streams": [streams.add(data, prefix=before)]}


def _operations(
    old: Source, new: Source, *, group_of: dict[str, int], predecessor: dict[str, Entry | None]
) -> list[int]:
    """Return the operation for each content of the new tree; see `model.patch`."""
    old_contents = contents(old.tree)
    by_path = {entry.path: entry for entry in old_contents}
    number_of = {entry.path: number for number, entry in enumerate(old_contents)}
    by_digest: dict[str, int] = {}
    for number, entry in enumerate(old_contents):
        by_digest.setdefault(entry.digest, number)
    first: dict[str, int] = {}
    expected_old = expected_new = 0
    found: list[int] = []
    for number, entry in enumerate(contents(new.tree)):
        same = by_path.get(entry.path)
        if entry.digest in first:
            found += [Operation.AGAIN, numbers.fold(first[entry.digest] - expected_new)]
            expected_new = first[entry.digest] + 1
            continue
        first[entry.digest] = number
        if same is not None and same.digest == entry.digest:
            found.append(Operation.SAME)
        elif entry.digest in by_digest:
            found += [Operation.OLD, numbers.fold(by_digest[entry.digest] - expected_old)]
            expected_old = by_digest[entry.digest] + 1
        else:
            found.append(Operation.MADE + group_of[entry.digest])
            before = predecessor[entry.digest]
            if before is None:
                found.append(0)
            elif before.path == entry.path:
                found.append(1)
            else:
                found.append(2 + numbers.fold(number_of[before.path] - expected_old))
                expected_old = number_of[before.path] + 1
    return found

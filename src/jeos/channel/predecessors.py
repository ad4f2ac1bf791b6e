"""Find for each new content the old one that it most likely grew out of.

Tried in this order: the same path; the same path but for versions ("6.1.0-49" and "6.1.0-56", "libssl.so.3.0.17"
and "libssl.so.3.0.20"); among what has gone, the same name elsewhere; and what has most words in common with it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from jeos.model.tree import Entry

Read = Callable[[str], bytes]  # the content with this SHA-256

_VERSION = re.compile(r"\d+(?:[.+~_-]\d+)*")
_WORD = re.compile(rb"[\x20-\x7e]{6,64}")
LEAST_LIKENESS = 0.2  # of all words of both; below, a patch saves little
COMPARED_BYTES = 1 << 20  # of each file: its beginning tells
MOST_COMPARED = 64  # old contents that one new content is compared with, by length


def without_versions(path: str) -> str:
    """Return a path with every number that could be a version replaced."""
    return _VERSION.sub("#", path)


def find(
    wanted: Iterable[Entry], *, old: Iterable[Entry], kept: frozenset[str], read_old: Read, read_new: Read
) -> dict[str, Entry]:
    """Return the predecessor of each wanted entry, by the path of the latter; entries without one are left out.

    `old` are all files of the older tree, `kept` the paths that the newer one has too.
    """
    by_path: dict[str, Entry] = {}
    by_shape: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in old:
        by_path[entry.path] = entry
        by_shape[without_versions(entry.path)].append(entry)
    found: dict[str, Entry] = {}
    missing: list[Entry] = []
    for entry in wanted:
        same = by_path.get(entry.path)
        alike = [same] if same else by_shape.get(without_versions(entry.path), [])
        if alike:
            found[entry.path] = min(alike, key=lambda one: (abs(one.size - entry.size), one.path))
        else:
            missing.append(entry)
    gone = [entry for path, entry in by_path.items() if path not in kept]
    found |= _moved(missing, gone, read_old=read_old, read_new=read_new)
    return found


def _moved(missing: list[Entry], gone: list[Entry], *, read_old: Read, read_new: Read) -> Mapping[str, Entry]:
    """Return predecessors of contents that are somewhere else now, or under another name."""
    by_name = {without_versions(entry.name): entry for entry in gone}
    words: dict[str, frozenset[bytes]] = {}
    found: dict[str, Entry] = {}
    for entry in missing:
        named = by_name.get(without_versions(entry.name))
        if named is not None:
            found[entry.path] = named
            continue
        own = words_of(read_new(entry.digest))
        near = sorted(gone, key=lambda one: abs(one.size - entry.size))[:MOST_COMPARED]
        for one in near:
            if one.digest not in words:
                words[one.digest] = words_of(read_old(one.digest))
        best = max(near, key=lambda one: likeness(own, words[one.digest]), default=None)
        if best is not None and likeness(own, words[best.digest]) >= LEAST_LIKENESS:
            found[entry.path] = best
    return found


def words_of(data: bytes) -> frozenset[bytes]:
    """Return the runs of visible characters in a content, which a newer version mostly still has."""
    return frozenset(_WORD.findall(data, 0, COMPARED_BYTES))


def likeness(one: frozenset[bytes], other: frozenset[bytes]) -> float:
    """Return the share of words that two contents have in common, from 0 to 1."""
    return len(one & other) / len(one | other) if one and other else 0.0

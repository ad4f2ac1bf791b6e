"""Copy points from one vault to another: only what is missing there, and what was sent stays sent if it is killed.

The two may differ in all but the format: where they are, whether they encrypt, with which keys. Chunks have the same
names everywhere, and travel packed as they are, checked on the way.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jeos.store.base import MissingObjectError
from jeos.store.vault import Needs, Vault
from jeos.store.vault_chunks import Asked
from jeos.store.vault_errors import VERIFY
from jeos.store.vault_rewrite import rewrite

BATCH = 64  # chunks that are looked for together: enough that those of one pack come in one request

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy sent: points, chunks, and bytes as they lie in packs."""

    points: tuple[str, ...] = ()
    chunks: int = 0
    size: int = 0


def copy(
    source: Vault,
    target: Vault,
    *,
    needs: Needs,
    names: Iterable[str] | None = None,
    progress: Progress = lambda text: None,
) -> Copied:
    """Copy these points, or all, that the target does not have, oldest first."""
    there = set(target.points())
    wanted = [name for name in (source.points() if names is None else names) if name not in there]
    if not wanted:
        return Copied()
    source.chunks.reload()
    with target.session() as session:
        for number, name in enumerate(wanted, start=1):
            progress(f"{name} ({number} of {len(wanted)})")
            document = source.read_point(name)
            for batch in _batches(chunk_id for chunk_id in needs(source, name) if not session.has(chunk_id)):
                rewrite(source, session, _places(source, batch))
                progress(f"{name} ({number} of {len(wanted)}), {session.new_bytes >> 20} MiB sent")
            session.commit_point(name, document)
        return Copied(points=tuple(wanted), chunks=session.new_chunks, size=session.new_bytes)


def _batches(chunk_ids: Iterable[bytes]) -> Iterator[set[bytes]]:
    batch: set[bytes] = set()
    for chunk_id in chunk_ids:
        batch.add(chunk_id)
        if len(batch) >= BATCH:
            yield batch
            batch = set()
    if batch:
        yield batch


def _places(source: Vault, chunk_ids: Iterable[bytes]) -> list[Asked]:
    found = []
    loaded = source.chunks.loaded()
    for chunk_id in chunk_ids:
        at = next(loaded.find(chunk_id), None)
        if at is None:
            raise MissingObjectError(chunk_id.hex(), where=f"the vault {source.where}", hint=VERIFY)
        found.append((chunk_id, at))
    return found

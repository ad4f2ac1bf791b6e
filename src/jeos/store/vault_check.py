"""Verify a vault: every file and every chunk is read and compared; what is wrong is said, with the points it touches.

    report = check(vault, needs=needs)
    report.lost          # {"web01/2026-…": {chunk: "its bytes have another hash"}}

`part` 2 of 7 reads every seventh pack, so that a vault is read whole in a week of nights. Nothing is written here;
`vault_repair` mends what was found.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from jeos.core.errors import JeosError
from jeos.store import vault_index
from jeos.store.base import DamagedObjectError
from jeos.store.places.place import MissingFileError
from jeos.store.vault import Needs, Vault
from jeos.store.vault_chunks import Asked, Loaded, ranges
from jeos.store.vault_errors import DamagedFileError
from jeos.store.vault_index import Location, Table
from jeos.store.vault_pack import name_of, read_directory
from jeos.store.vault_standing import Standing, standing

WORKERS = 2
MISSING = "it is in no pack"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that is wrong, and in which way."""

    name: str
    reason: str


@dataclass(slots=True)
class Report:
    """What a verification read and found.

    `bad` are places of chunks that do not hold them, `wrong` the packs that these or other faults are in; `lost` names
    for each point the chunks that no place holds, with the reason; `broken` are points that could not be read through.
    """

    packs: int = 0
    chunks: int = 0
    size: int = 0
    points: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    bad: dict[Asked, str] = field(default_factory=dict)
    wrong: set[bytes] = field(default_factory=set)
    lost: dict[str, dict[bytes, str]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not (self.findings or self.bad or self.lost or self.broken)

    @property
    def touched(self) -> list[str]:
        """Return the points that cannot be restored whole."""
        return sorted(self.lost.keys() | self.broken.keys())


def check(
    vault: Vault,
    *,
    needs: Needs,
    part: tuple[int, int] = (1, 1),
    read: bool = True,
    progress: Progress = lambda text: None,
) -> Report:
    """Verify a vault; without `read` only that everything is there. Raises only for a place that cannot be used."""
    report = Report()
    names = vault.points()
    loaded = vault.chunks.reload()
    there = standing(vault.files, loaded)
    report.findings += [Finding(error.name, error.message) for error in loaded.damaged]
    table = vault_index.merge(loaded.tables.values())
    _check_packs(vault, table, there, report, part=part, read=read, progress=progress)
    _check_points(vault, names, loaded, report, needs=needs, progress=progress)
    return report


def _check_packs(
    vault: Vault,
    table: Table,
    there: Standing,
    report: Report,
    *,
    part: tuple[int, int],
    read: bool,
    progress: Progress,
) -> None:
    indexed: dict[bytes, list[Asked]] = {}
    for chunk_id, at in table:
        indexed.setdefault(at.pack, []).append((chunk_id, at))
    for pack in sorted(indexed.keys() - there.sizes.keys()):
        report.findings.append(Finding(name_of(pack), "it is missing"))
        report.wrong.add(pack)
        report.bad.update((entry, f"{name_of(pack)} is missing") for entry in indexed[pack])
    number, of = part
    chosen = [pack for pack in sorted(there.sizes) if int.from_bytes(pack[:4]) % of == number - 1]
    if not read:
        chosen = sorted(there.wrong & there.sizes.keys())
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda pack: _check_pack(vault, pack, indexed.get(pack, []), size=there.sizes[pack]), chosen)
        for count, (pack, (findings, bad)) in enumerate(zip(chosen, done, strict=True), start=1):
            report.packs += 1
            report.chunks += len(indexed.get(pack, []))
            report.size += there.sizes[pack]
            report.findings += findings
            report.bad.update(bad)
            if findings or bad:
                report.wrong.add(pack)
            progress(f"{count} of {len(chosen)} packs")


def _check_pack(
    vault: Vault, pack: bytes, indexed: list[Asked], *, size: int
) -> tuple[list[Finding], dict[Asked, str]]:
    """Read a pack: its directory, and every chunk that it or the index says is in there."""
    findings = []
    listed: list[Asked] = []
    try:
        listed = read_directory(vault.place, pack, size=size, seal=vault.files.seal)
    except DamagedFileError as error:
        findings.append(Finding(error.name, error.message))
    except MissingFileError:  # collected meanwhile
        return [], {}
    bad: dict[Asked, str] = {}
    for group in ranges(set(indexed) | set(listed)):
        bad.update(_check_range(vault, group))
    strange = set(indexed) - set(listed)
    if listed and strange:
        findings.append(Finding(name_of(pack), f"an index names {len(strange)} chunks that its directory does not"))
    elif bad:
        findings.append(Finding(name_of(pack), f"{len(bad)} of its {len(listed) or len(indexed)} chunks are damaged"))
    return findings, bad


def _check_range(vault: Vault, group: list[Asked]) -> Iterator[tuple[Asked, str]]:
    start = group[0][1].offset
    try:
        data = vault.place.get(name_of(group[0][1].pack), offset=start, limit=group[-1][1].end - start)
    except MissingFileError:
        return
    stored = memoryview(data)
    for chunk_id, at in group:
        try:
            vault.chunks.opened(chunk_id, at, stored[at.offset - start : at.end - start])
        except DamagedObjectError as error:
            yield (chunk_id, at), error.message


def _check_points(
    vault: Vault, names: list[str], loaded: Loaded, report: Report, *, needs: Needs, progress: Progress
) -> None:
    for count, name in enumerate(names, start=1):
        progress(f"{count} of {len(names)} points")
        report.points.append(name)
        try:
            for chunk_id in needs(vault, name):
                reason = _why_lost(loaded.find(chunk_id), chunk_id, report)
                if reason:
                    report.lost.setdefault(name, {})[chunk_id] = reason
        except JeosError as error:
            if name in vault.points():
                report.broken[name] = error.message


def _why_lost(places: Iterator[Location], chunk_id: bytes, report: Report) -> str:
    """Return why no place holds a chunk; nothing if one does, as far as was read."""
    reason = MISSING
    for at in places:
        wrong = report.bad.get((chunk_id, at))
        if wrong is None:
            return ""
        reason = wrong
    return reason

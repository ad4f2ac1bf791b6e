"""Known vulnerabilities: advisories that the operator imports, looked for in the packages of every version.

    report = load(Path("/srv/advisories"))       # jeos server advisories: asks no other service
    match(version)                               # a task, for each version whose packages or advisories are new

Debian's security tracker and OSV speak of source packages and their versions; so does the bill of materials. An import
replaces everything of its format in one transaction: what is in no file any more is no vulnerability any more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from jeos.core.errors import InputError
from jeos.model import advisory
from jeos.model.advisory import Advisory, Urgency
from jeos.server.catalogue.models import Finding, KnownVulnerability, Package, Version

BATCH = 2_000  # rows written, or packages looked for, at once
LARGEST = 1 << 30  # bytes of one file: Debian's whole tracker has a tenth of it
MOST = 5_000  # findings that are kept of one version, the most urgent
NAMES = {urgency: urgency.name.lower() for urgency in Urgency}


@dataclass(frozen=True)
class Loaded:
    """What an import brought: files, advisories by source package and release, and versions to be matched anew."""

    files: int
    advisories: int
    sources: int
    versions: int


def load(place: Path) -> Loaded:
    """Import the advisories in a file, or in all `.json` files below a folder. Raises InputError; nothing changed."""
    files = sorted(place.rglob("*.json")) if place.is_dir() else [place]
    if not files:
        raise InputError(f"there are no .json files in {place}", hint="put Debian's tracker or OSV advisories there")
    by_origin: dict[str, list[Path]] = {}
    for path in files:
        by_origin.setdefault(_origin(path), []).append(path)
    count, sources = 0, set()
    with transaction.atomic():
        for origin, paths in by_origin.items():
            KnownVulnerability.objects.filter(origin=origin).delete()
            for batch in _batches(_rows(origin, paths)):
                KnownVulnerability.objects.bulk_create(batch)
                count += len(batch)
                sources |= {row.source for row in batch}
        versions = Version.objects.filter(packages__gt=0)
        number = versions.count()
        from jeos.server.catalogue import tasks  # which stand on this module

        tasks.match_all.enqueue()
    return Loaded(files=len(files), advisories=count, sources=len(sources), versions=number)


def _origin(path: Path) -> str:
    return advisory.kind_of(_document(path))


def _document(path: Path) -> object:
    """Return the JSON in a file. Raises InputError."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has more than {LARGEST} bytes", hint="it is no file of advisories")
        found: object = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="look at its name and rights") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {error}", hint="fetch it again; nothing was changed") from None
    return found


def _rows(origin: str, paths: Iterable[Path]) -> Iterator[KnownVulnerability]:
    """Yield the rows of all advisories in some files, none twice in one file."""
    for path in paths:
        document = _document(path)
        try:
            found = dict.fromkeys(advisory.read(document))
        except InputError as error:
            raise InputError(f"{path}: {error.message}", hint=error.hint) from None
        for one in found:
            yield KnownVulnerability(
                origin=origin,
                identifier=one.identifier,
                distribution=one.distribution[:200],
                source=one.source,
                introduced=one.introduced,
                fixed=one.fixed,
                last=one.last,
                urgency=one.urgency,
                summary=one.summary,
            )


def _batches(rows: Iterator[KnownVulnerability]) -> Iterator[list[KnownVulnerability]]:
    batch: list[KnownVulnerability] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


@transaction.atomic
def match(version: Version, *, now: datetime) -> None:
    """Look for known vulnerabilities in a version, in place of what was found before."""
    packages = Package.objects.filter(version=version).exclude(source="")
    held = set(packages.values_list("source", "source_release", "distribution"))
    found = _most_urgent(_affecting(held))[:MOST]
    Finding.objects.filter(version=version).delete()
    Finding.objects.bulk_create(
        [
            Finding(
                version=version,
                identifier=one.identifier,
                source=one.source,
                release=release,
                fixed=one.fixed,
                urgency=one.urgency,
                summary=one.summary,
            )
            for one, release in reversed(found)  # the list is read from the index's end
        ],
        batch_size=BATCH,
    )
    counted = Counter(NAMES[Urgency(one.urgency)] for one, _release in found)
    Version.objects.filter(pk=version.pk).update(findings=dict(counted), matched=now)


def _affecting(held: set[tuple[str, str, str]]) -> Iterator[tuple[Advisory, str]]:
    """Yield the advisories that some source packages are affected by, and the versions of these."""
    releases: dict[tuple[str, str], set[str]] = {}
    for source, release, distribution in held:
        releases.setdefault((source, distribution), set()).add(release)
    sources = sorted({source for source, _distribution in releases})
    for start in range(0, len(sources), BATCH // 4):
        rows = KnownVulnerability.objects.filter(source__in=sources[start : start + BATCH // 4])
        for row in rows.iterator(chunk_size=BATCH):
            for release in releases.get((row.source, row.distribution), ()):
                one = Advisory(
                    identifier=row.identifier,
                    distribution=row.distribution,
                    source=row.source,
                    introduced=row.introduced,
                    fixed=row.fixed,
                    last=row.last,
                    urgency=Urgency(row.urgency),
                    summary=row.summary,
                )
                if advisory.is_affected(one, release):
                    yield one, release


def _most_urgent(found: Iterable[tuple[Advisory, str]]) -> list[tuple[Advisory, str]]:
    """Return each vulnerability of a source package once, as its most urgent advisory says, the most urgent first."""
    best: dict[tuple[str, str], tuple[Advisory, str]] = {}
    for one, release in found:
        known = best.get((one.source, one.identifier))
        if known is None or (one.urgency, one.fixed, release) > (known[0].urgency, known[0].fixed, known[1]):
            best[one.source, one.identifier] = (one, release)
    return sorted(best.values(), key=lambda pair: (-pair[0].urgency, pair[0].source, pair[0].identifier))

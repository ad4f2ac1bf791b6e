"""What changed between the packages of two versions: added, upgraded, downgraded, removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jeos.model import debian_version
from jeos.model.version import sort_key
from jeos.server.catalogue.models import Package, Version

LOOK_BACK = 50  # versions built before one among which the one before it is looked for


@dataclass(frozen=True)
class Change:
    """One package, and its versions before and after; "" where it was not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """The packages that two versions do not have alike."""

    added: tuple[Change, ...] = ()
    upgraded: tuple[Change, ...] = ()
    downgraded: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()

    @property
    def count(self) -> int:
        """Return how many packages differ."""
        return len(self.added) + len(self.upgraded) + len(self.downgraded) + len(self.removed)


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> Difference:
    """Return what changed between packages by name."""
    both = [Change(name, before[name], after[name]) for name in sorted(before.keys() & after.keys())]
    changed = [change for change in both if change.before != change.after]
    up = {change.name for change in changed if debian_version.newer(change.after, change.before)}
    return Difference(
        added=tuple(Change(name, "", after[name]) for name in sorted(after.keys() - before.keys())),
        upgraded=tuple(change for change in changed if change.name in up),
        downgraded=tuple(change for change in changed if change.name not in up),
        removed=tuple(Change(name, before[name], "") for name in sorted(before.keys() - after.keys())),
    )


def between(before: Version, after: Version) -> Difference:
    """Return what changed between two versions of an appliance."""
    held: dict[int, dict[str, str]] = {before.pk: {}, after.pk: {}}
    rows = Package.objects.filter(version__in=[before.pk, after.pk])
    for number, name, release in rows.values_list("version_id", "name", "release"):
        held[number][name] = release
    return compare(held[before.pk], held[after.pk])


def predecessor(version: Version) -> Version | None:
    """Return the version before one: the newest older one among those that were built before it."""
    rows = Version.objects.filter(appliance_id=version.appliance_id, date__lte=version.date).exclude(pk=version.pk)
    own = sort_key(version.version)
    older = [row for row in rows.order_by("-date", "-id")[:LOOK_BACK] if sort_key(row.version) < own]
    return max(older, key=lambda row: sort_key(row.version), default=None)

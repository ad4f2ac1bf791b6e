"""Areas: parts of the site that not everybody may read. Sections register who may not read which."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jeos.server.accounts.models import Member

_rules: dict[str, Callable[[Member | None], Iterable[int]]] = {}


def register(name: str, closed: Callable[[Member | None], Iterable[int]]) -> None:
    """Add a section's rule: which of its areas are closed to somebody."""
    _rules[name] = closed


def closed_areas(member: Member | None) -> set[int]:
    """Return the areas that somebody may not read."""
    return {area for closed in _rules.values() for area in closed(member)}

"""Pages that sections add to a member's settings, beside those of the account itself."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise


@dataclass(frozen=True)
class Tab:
    """A page of the settings: its name, its view and its title."""

    name: str
    view: str
    title: str | Promise

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return reverse(self.view)


_tabs: dict[str, Tab] = {}


def register(name: str, view: str, title: str | Promise) -> None:
    """Add a page."""
    _tabs[name] = Tab(name, view, title)


def every() -> list[Tab]:
    """Return the pages that sections added, in the order in which they came."""
    return list(_tabs.values())

"""What stands on the administrators' desk: the pages in its tabs, the figures and the problems on its overview.

Sections add theirs: desk.register("categories", "forum:categories", _("Categories"))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jeos.server.administration.health import Problem


@dataclass(frozen=True)
class Tab:
    """A page of the desk: its name, its view and its title."""

    name: str
    view: str
    title: str | Promise
    order: int

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return reverse(self.view)


@dataclass(frozen=True)
class Figure:
    """How many of something there are; `count` reads counters on rows and never a whole table."""

    title: str | Promise
    count: Callable[[], int]


_tabs: dict[str, Tab] = {}
_figures: dict[str, Figure] = {}
_problems: dict[str, Callable[[], list[Problem]]] = {}


def register(name: str, view: str, title: str | Promise, *, order: int = 50) -> None:
    """Add a page; those of a small order stand first."""
    _tabs[name] = Tab(name, view, title, order)


def register_figure(name: str, title: str | Promise, count: Callable[[], int]) -> None:
    """Add a figure."""
    _figures[name] = Figure(title, count)


def register_problems(name: str, find: Callable[[], list[Problem]]) -> None:
    """Add what finds out what is wrong with a section."""
    _problems[name] = find


def tabs() -> list[Tab]:
    """Return the pages in their order."""
    return sorted(_tabs.values(), key=lambda tab: (tab.order, tab.name))


def figures() -> list[tuple[str, int]]:
    """Return title and number of all figures."""
    return [(str(figure.title), figure.count()) for figure in _figures.values()]


def problems() -> list[Problem]:
    """Return what is wrong with the sections."""
    return [problem for find in _problems.values() for problem in find()]


def register_own() -> None:
    """Add the pages of this section, and the log that `content` keeps."""
    from jeos.server.accounts.models import Member  # models can be imported only now

    register("overview", "administration:overview", _("Overview"), order=1)
    register("members", "administration:members", _("Members"), order=2)
    register("jobs", "administration:jobs", _("Jobs"), order=3)
    register("site", "administration:site", _("Site"), order=4)
    register("blocked", "administration:blocked", _("Kept out"), order=5)
    register("log", "content:log", _("Log"), order=99)
    register_figure("members", _("Members"), lambda: Member.objects.filter(left_at=None).count())

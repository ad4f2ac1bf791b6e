"""What happens on the site, told within it: sections say it in the transaction that makes it known, others listen.

    happenings.tell("thread.created", kinds.THREAD, thread.pk)

Types are known beforehand, so that members can choose among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Happening:
    """Something that happened to a piece of content."""

    type: str
    kind: int
    number: int


TYPES: dict[str, str | Promise] = {
    "thread.created": _("a new thread"),
    "post.created": _("a new reply in a thread"),
    "page.created": _("a new page of the wiki"),
    "page.changed": _("a changed page of the wiki"),
    "blog_post.published": _("a published blog post"),
    "idea.created": _("a new idea"),
    "idea.answered": _("an answered idea"),
    "practice.proven": _("a proven practice"),
    "comment.created": _("a new comment"),
    "version.published": _("a new version of an appliance"),
}
_listeners: list[Callable[[Happening], None]] = []


def listen(listener: Callable[[Happening], None]) -> None:
    """Add who wants to know; called in the transaction of what happened."""
    _listeners.append(listener)


def tell(type_: str, kind: int, number: int) -> None:
    """Tell all listeners that something happened. Raises KeyError for a type that nobody knows."""
    TYPES[type_]
    for listener in _listeners:
        listener(Happening(type_, kind, number))

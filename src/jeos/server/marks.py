"""Small pieces of HTML that pages have by the hundred: icons, avatars, links to members and tags.

They are functions and not macros, and remembered, because a page of 50 posts has about 500 of them.
"""

from functools import cache, lru_cache

from django.templatetags.static import static
from django.utils.translation import gettext_lazy
from markupsafe import Markup, escape

KEPT = 4096  # members and tags whose pieces are remembered
HUES = 12
COLON = gettext_lazy(":")  # between a label and what it is of: French wants a space before it that does not break


@cache
def address(name: str) -> str:
    """Return the address of a static file; it does not change while a process lives."""
    return static(name)


@cache
def icon(name: str) -> Markup:
    """Return a picture of the sprite; what it means is said beside it."""
    shape = Markup('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><use href="{}#{}"/></svg>')
    return shape.format(address("server/icons.svg"), name)


@lru_cache(maxsize=KEPT)
def avatar(handle: str, number: int, picture: str = "") -> Markup:
    """Return the picture of a member by its digest, or the round letter in the member's colour."""
    if picture:
        made = f'<img class="avatar" src="/faces/{escape(picture)}.webp" alt="" width="36" height="36" loading="lazy">'
    else:
        made = f'<span class="avatar hue-{number % HUES}" aria-hidden="true">{escape(handle[:1].upper())}</span>'
    return Markup(made)  # noqa: S704 - escaped above; Markup.format takes six times as long, and lists have many faces


@lru_cache(maxsize=KEPT)
def member_link(handle: str) -> Markup:
    """Return a link to a member's page."""
    shown = escape(handle)
    return Markup(f'<a class="member" href="/m/{shown}/">{shown}</a>')  # noqa: S704


@lru_cache(maxsize=KEPT)
def tag_link(name: str) -> Markup:
    """Return a link to a tag's page."""
    shown = escape(name)
    return Markup(f'<a class="tag" href="/tags/{shown}/">{shown}</a>')  # noqa: S704

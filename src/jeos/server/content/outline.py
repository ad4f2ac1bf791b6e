"""The headings of a rendered text as a list that leads to them, and the text with the anchors that it leads to.

outline('<h2>Boot order</h2>').headings == [Heading(level=2, anchor="s-boot-order", title="Boot order")]
"""

import html
import re
from dataclasses import dataclass

_HEADING = re.compile(r"<h([2-6])>(.*?)</h\1>", re.DOTALL)
_MARKUP = re.compile(r"<[^>]*>")
ANCHOR = 60  # characters


@dataclass(frozen=True)
class Heading:
    """One heading: its level (2 to 6), the anchor in front of it, its words."""

    level: int
    anchor: str
    title: str


@dataclass(frozen=True)
class Outline:
    """A text with anchors, and its headings in their order."""

    html: str
    headings: tuple[Heading, ...]


def outline(made: str) -> Outline:
    """Return sanitized HTML with an anchor at each heading. They begin with `s-`, so that none is one of the page's."""
    headings: list[Heading] = []
    taken: set[str] = set()

    def mark(found: re.Match[str]) -> str:
        title = html.unescape(_MARKUP.sub("", found.group(2))).strip()
        anchor = _anchor(title, taken)
        headings.append(Heading(level=int(found.group(1)), anchor=anchor, title=title))
        return f'<h{found.group(1)} id="{anchor}">{found.group(2)}</h{found.group(1)}>'

    return Outline(html=_HEADING.sub(mark, made), headings=tuple(headings))


def _anchor(title: str, taken: set[str]) -> str:
    """Return an anchor that no heading of the text has yet: letters, digits and hyphens only."""
    word = "s-" + re.sub(r"[\W_]+", "-", title.lower()).strip("-")[:ANCHOR]
    anchor, count = word, 1
    while anchor in taken:
        count += 1
        anchor = f"{word}-{count}"
    taken.add(anchor)
    return anchor

"""Feeds: the lists of the site as RSS 2.0 and Atom, for programs that look for what is new.

    path("feed.<slug:form>", views.feed)            # beside the list at "", so that every list's feeds are found alike
    return feeds.answer(request, form, Feed(title=..., url="/forum/", about="", items=[...]))

A feed says what a visitor may read, whoever asks for it, so that one answer does for everybody. Who asks again with
the `ETag` or `Last-Modified` of the answer before gets 304 and nothing else while nothing has changed.
Formats: RSS Advisory Board, "RSS 2.0 Specification"; RFC 4287 (Atom); RFC 4151 (the `tag:` names of items).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import get_conditional_response
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed
from django.utils.xmlutils import SimplerXMLGenerator

from jeos.server.accounts import site
from jeos.server.content import kinds, markdown

SIZE = 30  # items of a feed: what is older has been seen by all who look once a day
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when a list changed last in which nothing has ever been

# Characters that no XML 1.0 document may hold, not even as references (section 2.2). Texts of members may.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Item:
    """One entry of a feed. Its `name`, as "thread/12", and the day on which it was made never change."""

    name: str
    title: str
    url: str  # within the site
    author: str  # a handle; empty where there is none
    made: datetime
    html: str  # as pages show it
    changed: datetime | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """A list as a feed: its name, its page, and the newest of what is in it."""

    title: str
    url: str  # of the page, within the site
    about: str
    items: Sequence[Item]

    @property
    def changed(self) -> datetime:
        """Return when something in the list changed last."""
        return max((item.changed or item.made for item in self.items), default=NEVER)


class Rss(Rss201rev2Feed):
    """RSS 2.0, as Django writes it."""


class Atom(Atom1Feed):
    """Atom, with the whole texts as contents and not as summaries."""

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, object]) -> None:
        """Write an entry."""
        content = str(item["description"])
        super().add_item_elements(handler, {**item, "description": None})
        handler.addQuickElement("content", content, {"type": "html"})


FORMS: dict[str, type[Rss] | type[Atom]] = {"rss": Rss, "atom": Atom}


def answer(request: HttpRequest, form: str, feed: Feed) -> HttpResponse:
    """Return a feed in one of the forms, or that it has not changed. Raises Http404 for a form that there is not."""
    if form not in FORMS:
        raise Http404
    body = text(feed, form, at=request.path)
    response = HttpResponse(body, content_type=FORMS[form].content_type)
    response["ETag"] = etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    modified = int(feed.changed.timestamp())
    response["Last-Modified"] = f"{feed.changed.astimezone(UTC):%a, %d %b %Y %H:%M:%S} GMT"
    conditional = get_conditional_response(request, etag=etag, last_modified=modified, response=response)
    return conditional if isinstance(conditional, HttpResponse) else response


def text(feed: Feed, form: str, *, at: str) -> bytes:
    """Return a feed as the bytes of a document; `at` is its own address within the site."""
    written = FORMS[form](
        title=_clean(feed.title),
        link=_absolute(feed.url),
        description=_clean(feed.about or feed.title),
        subtitle=_clean(feed.about) or None,
        language=translation.get_language(),
        feed_url=_absolute(at),
        feed_guid=_absolute(feed.url),
    )
    written.latest_post_date = lambda: feed.changed  # type: ignore[method-assign] # Django's is now if there are none
    for item in feed.items:
        written.add_item(
            title=_clean(item.title),
            link=_absolute(item.url),
            description=markdown.with_base(_clean(item.html), settings.ENVIRONMENT.url),
            author_name=item.author or site.name(),
            author_link=_absolute(f"/m/{item.author}/") if item.author else None,
            pubdate=item.made,
            updateddate=item.changed or item.made,
            unique_id=f"tag:{settings.ENVIRONMENT.host},{item.made.astimezone(UTC):%Y-%m-%d}:{item.name}",
            unique_id_is_permalink=False,
            categories=[_clean(tag) for tag in item.tags],
        )
    return written.writeString("utf-8").encode()


def of_cards(cards: Sequence[kinds.Card]) -> list[Item]:
    """Return content of any kinds as items: with its whole text where its kind has one to give, else the excerpt."""
    texts: dict[tuple[int, int], str] = {}
    names = {kind.code: kind.name for kind in kinds.all_kinds()}
    for kind in kinds.all_kinds():
        numbers = [card.number for card in cards if card.kind == kind.code]
        if kind.texts is not None and numbers:
            texts.update({(kind.code, number): html for number, html in kind.texts(numbers).items()})
    return [
        Item(
            name=f"{names[card.kind]}/{card.number}",
            title=card.title,
            url=card.url,
            author=card.author,
            made=card.date,
            html=texts.get((card.kind, card.number)) or markdown.as_html(card.excerpt),
        )
        for card in cards
    ]


def _absolute(path: str) -> str:
    return urljoin(f"{settings.ENVIRONMENT.url}/", path)


def _clean(value: str) -> str:
    return _FORBIDDEN.sub("", value)

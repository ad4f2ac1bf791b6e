"""A cache of pages for anonymous visitors, in front of Django, so that crawlers cannot take the site down.

    application = PageCache(django, languages=["en", "fr"])

An entry is fresh for seconds and usable for minutes. While it is fresh it is answered from memory; when it is not, it
is still answered at once, and one thread makes it anew (stale while revalidate). A page that is asked for by many
before it exists is made once, and all wait for it (single flight). Each worker process has a cache of its own.

Only pages without a session, without cookies of their own and without a form token are kept. The language is part of
the key, since pages differ in it.
"""

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from typing import Any

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Application = Callable[[Environ, Any], Iterable[bytes]]
Key = tuple[str, str, str, str]

FRESH = 10.0  # seconds: how long after a new post anonymous visitors may not see it
USABLE = 600.0  # seconds: how old a page may be that is shown while a new one is made
ROOM = 64 << 20  # bytes of pages that one worker keeps
WAIT = 30.0  # seconds that a visitor waits for another's page before making it himself
REFRESHERS = 2  # threads that make pages anew; few, so that visitors come first
PASSED_ON = ("/accounts/", "/files/")  # never the same for all, or larger than pages are
PERSONAL = ("sessionid=", "messages=")  # cookies that make a page somebody's own
LANGUAGE_COOKIE = "django_language="
CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")  # what one visitor has already; pages are kept for all
STAYS = ("etag", "last-modified", "vary", "cache-control", "content-language", "date")  # of an answer without a body


@dataclass(frozen=True)
class Page:
    """A finished answer, and when it was made (seconds of the monotonic clock)."""

    status: str
    headers: Headers
    body: bytes
    made: float


class PageCache:
    """Answers anonymous visitors from memory where that is right, and lets the application do the rest."""

    def __init__(
        self,
        application: Application,
        *,
        languages: Sequence[str],
        fresh: float = FRESH,
        usable: float = USABLE,
        room: int = ROOM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._languages = tuple(languages)
        self._fresh, self._usable, self._room, self._clock = fresh, usable, room, clock
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._size = 0
        self._flights: dict[Key, threading.Event] = {}
        self._lock = threading.Lock()
        self._refreshers = ThreadPoolExecutor(REFRESHERS, thread_name_prefix="refresh")

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        """Answer one request."""
        key = self._key(environ)
        if key is None:
            return self._application(environ, start_response)
        page = self._pages.get(key)
        if page is None or self._clock() - page.made > self._usable:
            page = self._first(key, environ)
        elif self._clock() - page.made > self._fresh and self._take_off(key):
            self._refreshers.submit(self._make, key, _detached(environ))
        if unchanged(page, environ):
            start_response("304 Not Modified", [pair for pair in page.headers if pair[0].lower() in STAYS])
            return []
        start_response(page.status, page.headers)
        return [page.body] if environ["REQUEST_METHOD"] == "GET" else []

    def _key(self, environ: Environ) -> Key | None:
        """Return what tells an anonymous page from another; None if the request is for something else."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        cookies = str(environ.get("HTTP_COOKIE", ""))
        if (cookies and any(name in cookies for name in PERSONAL)) or environ.get("HTTP_AUTHORIZATION"):
            return None
        path = str(environ["PATH_INFO"])
        if path.startswith(PASSED_ON):
            return None
        wanted = str(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        language = choose_language(self._languages, wanted, cookies if LANGUAGE_COOKIE in cookies else "")
        return (str(environ.get("HTTP_HOST", "")), path, str(environ.get("QUERY_STRING", "")), language)

    def _take_off(self, key: Key) -> bool:
        """Claim the making of a page; false if somebody is at it."""
        with self._lock:
            if key in self._flights:
                return False
            self._flights[key] = threading.Event()
            return True

    def _first(self, key: Key, environ: Environ) -> Page:
        """Make a page that is not there, or wait for whoever makes it."""
        if self._take_off(key):
            return self._make(key, environ)
        flight = self._flights.get(key)
        if flight is not None:
            flight.wait(WAIT)
        return self._pages.get(key) or self._render(environ)

    def _make(self, key: Key, environ: Environ) -> Page:
        """Make a page and keep it, if it may be kept; let those who wait for it go on."""
        try:
            page = self._render(environ)
            if keepable(page):
                self._keep(key, page)
            else:
                self._drop(key)
            return page
        finally:
            with self._lock:
                flight = self._flights.pop(key)
            flight.set()

    def _render(self, environ: Environ) -> Page:
        """Let the application answer, as if a GET had been asked for."""
        answer: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, *_: object) -> None:
            answer.append((status, headers))

        asked = {name: value for name, value in environ.items() if name not in CONDITIONS}
        parts = self._application({**asked, "REQUEST_METHOD": "GET"}, start)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = answer[-1]
        return Page(status=status, headers=headers, body=body, made=self._clock())

    def _keep(self, key: Key, page: Page) -> None:
        with self._lock:
            self._forget(key)
            self._pages[key] = page
            self._size += len(page.body)
            while self._size > self._room:
                self._forget(next(iter(self._pages)))

    def _drop(self, key: Key) -> None:
        with self._lock:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        old = self._pages.pop(key, None)
        if old is not None:
            self._size -= len(old.body)


def keepable(page: Page) -> bool:
    """Tell whether an answer is the same for every anonymous visitor."""
    if not page.status.startswith("200"):
        return False
    for name, value in page.headers:
        low = name.lower()
        if low == "set-cookie" or (low == "cache-control" and ("private" in value or "no-store" in value)):
            return False
    return True


def unchanged(page: Page, environ: Environ) -> bool:
    """Tell whether who asks has this very answer already, by its ETag, or by its date where no ETag is sent.

    RFC 9110, section 13.2.2. Only feeds have either; their dates are compared as texts, as who asks again sends them.
    """
    headers = {name.lower(): value for name, value in page.headers}
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        known = [tag.strip().removeprefix("W/") for tag in str(tags).split(",")]
        return "etag" in headers and (headers["etag"] in known or known == ["*"])
    date = environ.get("HTTP_IF_MODIFIED_SINCE")
    return date is not None and headers.get("last-modified") == date


def _detached(environ: Environ) -> Environ:
    """Return a request that can be made again when its connection is gone."""
    return {**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}


@lru_cache(maxsize=4096)
def choose_language(languages: tuple[str, ...], wanted: str, cookies: str) -> str:
    """Return which of the site's languages a visitor gets: the cookie's, else the first that the browser wants."""
    if cookies:
        try:
            morsel = SimpleCookie(cookies).get("django_language")
        except CookieError:
            morsel = None
        if morsel is not None and morsel.value in languages:
            return morsel.value
    ranked = []
    for position, part in enumerate(wanted.lower().split(",")):
        tag, _, parameters = part.strip().partition(";")
        weight = parameters.strip().removeprefix("q=") or "1"
        try:
            ranked.append((-float(weight), position, tag.split("-")[0]))
        except ValueError:
            continue
    for weight_, _, tag in sorted(ranked):
        if weight_ < 0 and tag in languages:
            return tag
    return languages[0]

"""The cache of anonymous pages."""

import threading
import time
from collections.abc import Callable, Iterable

import pytest

from jeos.server.page_cache import Environ, PageCache, choose_language


class Site:
    """An application that counts its answers, and can be made slow."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.asked: list[Environ] = []
        self.headers: list[tuple[str, str]] = [("Content-Type", "text/html")]
        self.status = "200 OK"
        self.go = threading.Event()
        self.go.set()

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        self.go.wait(10)
        self.made.append(environ["PATH_INFO"])
        self.asked.append(environ)
        start_response(self.status, self.headers)
        return [f"{environ['PATH_INFO']} {len(self.made)}".encode()]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def ask(cache: PageCache, path: str = "/", **more: str) -> bytes:
    environ: Environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "HTTP_HOST": "site", **more}
    return b"".join(cache(environ, lambda status, headers: None))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cache_of(site: Site, clock: Clock, *, room: int = 1 << 20) -> PageCache:
    return PageCache(site, languages=["en", "fr"], fresh=10, usable=100, room=room, clock=clock)


def test_page_is_made_once_while_it_is_fresh(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock)
    assert [ask(cache), ask(cache)] == [b"/ 1", b"/ 1"]
    assert site.made == ["/"]


def test_stale_page_is_shown_while_a_new_one_is_made(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock)
    ask(cache)
    clock.now += 11
    site.go.clear()
    assert [ask(cache) for _ in range(20)] == [b"/ 1"] * 20  # nobody waits
    site.go.set()
    wait_for(lambda: ask(cache) == b"/ 2")
    assert site.made == ["/", "/"]  # and it was made once, for all twenty


def test_many_who_ask_for_a_new_page_at_once_make_it_once(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock)
    site.go.clear()
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(cache))) for _ in range(30)]
    for thread in threads:
        thread.start()
    site.go.set()
    for thread in threads:
        thread.join()
    assert answers == [b"/ 1"] * 30
    assert site.made == ["/"]


def test_page_too_old_to_be_shown_is_made_before_the_answer(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock)
    ask(cache)
    clock.now += 101
    assert ask(cache) == b"/ 2"


@pytest.mark.parametrize("cookie", ["sessionid=abc", "x=1; sessionid=abc", "messages=hello"])
def test_member_gets_a_page_of_his_own(site: Site, clock: Clock, cookie: str) -> None:
    cache = cache_of(site, clock)
    ask(cache)
    assert ask(cache, HTTP_COOKIE=cookie) == b"/ 2"
    assert ask(cache) == b"/ 1"


def test_form_is_never_answered_from_the_cache(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock)
    ask(cache)
    assert ask(cache, REQUEST_METHOD="POST") == b"/ 2"


@pytest.mark.parametrize(
    "change",
    [
        {"headers": [("Set-Cookie", "csrftoken=x")]},
        {"headers": [("Cache-Control", "private, max-age=0")]},
        {"headers": [("Cache-Control", "no-store")]},
        {"status": "404 Not Found"},
        {"status": "301 Moved Permanently"},
    ],
)
def test_answer_that_is_somebodys_own_is_not_kept(site: Site, clock: Clock, change: dict[str, object]) -> None:
    for name, value in change.items():
        setattr(site, name, value)
    cache = cache_of(site, clock)
    assert [ask(cache), ask(cache)] == [b"/ 1", b"/ 2"]


def test_languages_have_pages_of_their_own(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock)
    english, french = ask(cache), ask(cache, HTTP_ACCEPT_LANGUAGE="fr")
    assert (english, french) == (b"/ 1", b"/ 2")
    assert ask(cache, HTTP_ACCEPT_LANGUAGE="fr-CA, en;q=0.5") == french
    assert ask(cache, HTTP_COOKIE="django_language=fr") == french


def test_room_is_bounded_and_the_oldest_page_goes_first(site: Site, clock: Clock) -> None:
    cache = cache_of(site, clock, room=12)
    for path in ("/a", "/b", "/c", "/d"):
        ask(cache, path)
    made = list(site.made)
    ask(cache, "/d")
    assert site.made == made
    ask(cache, "/a")
    assert site.made == [*made, "/a"]


def test_application_that_fails_lets_the_next_try(clock: Clock) -> None:
    class Broken(Site):
        def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
            if not self.made:
                self.made.append("failed")
                raise RuntimeError("as it happens")
            return super().__call__(environ, start_response)

    cache = cache_of(Broken(), clock)
    with pytest.raises(RuntimeError):
        ask(cache)
    assert ask(cache) == b"/ 2"


def test_head_has_no_body(site: Site, clock: Clock) -> None:
    assert ask(cache_of(site, clock), REQUEST_METHOD="HEAD") == b""


@pytest.mark.parametrize(
    ("wanted", "cookies", "language"),
    [
        ("", "", "en"),
        ("fr;q=0, en;q=0.1", "", "en"),
        ("de, fr;q=0.2", "", "fr"),
        ("en", "django_language=fr", "fr"),
        ("fr", "django_language=xx", "fr"),
        ("*", "", "en"),
        ("fr;q=nonsense", "", "en"),
    ],
)
def test_language_is_the_cookies_or_the_browsers(wanted: str, cookies: str, language: str) -> None:
    assert choose_language(("en", "fr"), wanted, cookies) == language


def test_visitor_who_has_the_answer_is_told_so_from_memory(site: Site, clock: Clock) -> None:
    cache = PageCache(site, languages=["en"], clock=clock)
    site.headers += [("ETag", '"one"'), ("Last-Modified", "Sun, 01 Mar 2026 12:30:00 GMT"), ("Vary", "Accept-Language")]
    answers: list[tuple[str, list[str], bytes]] = []
    for asked in (
        {"HTTP_IF_NONE_MATCH": '"one"'},
        {"HTTP_IF_NONE_MATCH": 'W/"zero", W/"one"'},
        {"HTTP_IF_NONE_MATCH": '"two"', "HTTP_IF_MODIFIED_SINCE": "Sun, 01 Mar 2026 12:30:00 GMT"},
        {"HTTP_IF_MODIFIED_SINCE": "Sun, 01 Mar 2026 12:30:00 GMT"},
        {"HTTP_IF_MODIFIED_SINCE": "Sat, 28 Feb 2026 12:30:00 GMT"},
    ):
        environ: Environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "HTTP_HOST": "site", **asked}
        said: list[tuple[str, list[str]]] = []
        body = b"".join(cache(environ, lambda status, headers, to=said: to.append((status, [n for n, _ in headers]))))
        answers.append((*said[0], body))
    same = ("304 Not Modified", ["ETag", "Last-Modified", "Vary"], b"")
    whole = ("200 OK", ["Content-Type", "ETag", "Last-Modified", "Vary"], b"/ 1")
    assert answers == [same, same, whole, same, whole]
    assert site.made == ["/"]
    assert site.asked[0].keys().isdisjoint({"HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"})

"""Whom the server takes for its visitor behind proxies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.proxies import Behind, visitor


@pytest.mark.parametrize(
    ("forwarded", "proxies", "wanted"),
    [
        ("192.0.2.7", 1, "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", 1, "192.0.2.7"),  # the first is what a visitor wrote
        ("203.0.113.9, 192.0.2.7, 10.0.0.2", 2, "192.0.2.7"),
        ("2001:db8::7", 1, "2001:db8::7"),
        ("[2001:db8::7]:4711", 1, "2001:db8::7"),
        ("192.0.2.7:4711", 1, "192.0.2.7"),
        ("192.0.2.7", 2, ""),
        ("unknown", 1, ""),
        ("", 1, ""),
    ],
)
def test_visitor_is_whom_the_first_own_proxy_saw(forwarded: str, proxies: int, wanted: str) -> None:
    assert visitor(forwarded, proxies=proxies) == wanted


@given(forwarded=st.text(max_size=80), proxies=st.integers(1, 3))
def test_visitor_of_any_header_is_an_address_or_nobody(forwarded: str, proxies: int) -> None:
    found = visitor(forwarded, proxies=proxies)
    assert found == "" or set(found) <= set("0123456789abcdef:.%") or "%" in found


def seen(proxies: int, **headers: str) -> dict[str, Any]:
    """Return what the application sees of a request of the proxy."""
    environ: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http", **headers}
    found: dict[str, Any] = {}

    def application(asked: dict[str, Any], _start: object) -> list[bytes]:
        found.update(asked)
        return []

    list(Behind(application, proxies=proxies)(environ, lambda *_: None))
    return found


@pytest.mark.parametrize(
    ("proxies", "headers", "wanted"),
    [
        (1, {"HTTP_X_FORWARDED_FOR": "192.0.2.7", "HTTP_X_FORWARDED_PROTO": "https"}, ("192.0.2.7", "https")),
        (1, {"HTTP_X_FORWARDED_FOR": "192.0.2.7", "HTTP_X_FORWARDED_PROTO": "gopher"}, ("192.0.2.7", "http")),
        (1, {}, ("127.0.0.1", "http")),
        (0, {"HTTP_X_FORWARDED_FOR": "192.0.2.7", "HTTP_X_FORWARDED_PROTO": "https"}, ("127.0.0.1", "http")),
        (0, {"HTTP_X_FORWARDED_HOST": "evil.example"}, ("127.0.0.1", "http")),
    ],
)
def test_application_sees_the_visitor_and_no_header_of_proxies(
    proxies: int, headers: dict[str, str], wanted: tuple[str, str]
) -> None:
    environ = seen(proxies, **headers)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == wanted
    assert [name for name in environ if "FORWARDED" in name] == []

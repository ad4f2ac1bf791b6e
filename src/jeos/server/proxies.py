"""Behind proxies: who visits, and whether over TLS, as the proxies that the operator runs say it.

A proxy appends to `X-Forwarded-For` whom it answers, and says in `X-Forwarded-Proto` how that one came. Only so many
entries from the right are believed as there are proxies of one's own; a visitor can have written the others.

    application = Behind(application, proxies=1)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")


class Behind:
    """Lets an application see its visitors as they came to the first of some proxies."""

    def __init__(self, application: Application, *, proxies: int) -> None:
        self._application = application
        self._proxies = proxies

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        """Answer a request. What comes without these headers, as a health check of the host itself, stays as it is."""
        told = {name: str(environ.pop(name)) for name in FORWARDED if name in environ}
        if self._proxies:
            address = visitor(told.get("HTTP_X_FORWARDED_FOR", ""), proxies=self._proxies)
            if address:
                environ["REMOTE_ADDR"] = address
            scheme = told.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return self._application(environ, start_response)


def visitor(forwarded: str, *, proxies: int) -> str:
    """Return the IP address that the first of one's own proxies saw; empty if the header does not say it."""
    entries = [entry.strip() for entry in forwarded.split(",")]
    if len(entries) < proxies:
        return ""
    said = entries[-proxies]
    host = said[1 : said.index("]")] if said.startswith("[") and "]" in said else said
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""

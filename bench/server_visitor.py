"""A signed-in member for `bench/server.py`, who asks the application for pages as granian does, without a network."""

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jeos.server.accounts.models import Member


class Visitor:
    """Asks for pages with the cookies of a member."""

    def __init__(self, member: "Member") -> None:
        from django.conf import settings
        from django.test import Client

        from jeos.server.wsgi import application

        client = Client(SERVER_NAME="127.0.0.1")
        client.force_login(member, backend="jeos.server.accounts.backends.Passphrases")
        client.get("/")  # sets the cookie that forms need
        self._application = application
        self._request = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": settings.SITE_URL.partition("://")[2],
            "HTTP_COOKIE": "; ".join(f"{name}={one.value}" for name, one in client.cookies.items()),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
        }

    def get(self, path: str) -> bytes:
        """Return a page, which must be there."""
        answers: list[str] = []
        parts = self._application(
            {**self._request, "PATH_INFO": path, "wsgi.input": io.BytesIO()},
            lambda status, headers, *_: answers.append(status),
        )
        try:
            page = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        assert answers == ["200 OK"], (path, answers)
        return page

"""Programs that call the API of the server, for tests. Import it only after `server/conftest.py` has set Django up."""

import json
from typing import Any

from django.test import Client

from jeos.server.accounts.models import Member, Token
from server_site import signed_in

API = "/api/v1"


class Program:
    """A program that acts for a member, or for nobody."""

    def __init__(self, member: Member | None = None, *, writes: bool = True, browser: Client | None = None) -> None:
        self.browser = browser or Client()
        self.headers: dict[str, str] = {}
        if member is not None:
            _made, text = Token.make(member, name="program", writes=writes, expires=None)
            self.headers["Authorization"] = f"Bearer {text}"

    def call(self, method: str, path: str, value: object = None, **headers: str) -> tuple[int, Any]:
        """Return status and value of an answer."""
        data = "" if value is None else json.dumps(value)
        answer = self.browser.generic(
            method, API + path, data, content_type="application/json", headers={**self.headers, **headers}
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None


def programs(*, author: Member, other: Member, moderator: Member) -> dict[str, Program]:
    """Return a program for each that may call."""
    return {
        "anybody": Program(),
        "session": Program(browser=signed_in(author)),
        "reading": Program(author, writes=False),
        "other": Program(other),
        "author": Program(author),
        "moderator": Program(moderator),
    }

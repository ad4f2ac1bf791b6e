"""A member's data as one open file: every section says what it knows of a member.

register("posts", lambda member: [{"thread": ..., "source": ...}, ...])
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from jeos.server.accounts.models import Member

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
Rows = Iterable[dict[str, Json]]

_registered: dict[str, Callable[[Member], Rows]] = {}


def register(name: str, rows: Callable[[Member], Rows]) -> None:
    """Add what a section knows of a member, under a name of its own."""
    _registered[name] = rows


def text(member: Member) -> Iterator[str]:
    """Return everything that is known of a member, as JSON in parts, so that it needs no memory."""
    yield '{"format": "jeos member export 1",\n"member": ' + json.dumps(_about(member), ensure_ascii=False)
    for name in sorted(_registered):
        yield f",\n{json.dumps(name)}: ["
        for number, row in enumerate(_registered[name](member)):
            yield (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False)
        yield "]"
    yield "}\n"


def _about(member: Member) -> dict[str, Json]:
    return {
        "handle": member.handle,
        "email": member.email,
        "name": member.name,
        "about": member.about,
        "language": member.language,
        "time_zone": member.time_zone,
        "joined": member.joined.isoformat(),
        "tokens": [{"name": token.name, "made": token.made.isoformat()} for token in member.tokens.all()],
        "organisations": [
            {"organisation": account.provider, "account": account.uid, "since": account.date_joined.isoformat()}
            for account in member.socialaccount_set.all()
        ],
        "sessions": [
            {"address": session.ip, "program": session.user_agent, "began": session.created_at.isoformat()}
            for session in member.usersession_set.all()
        ],
    }

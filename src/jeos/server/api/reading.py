"""Reading the body of a call: JSON as RFC 8259 has it, within bounds, without texts that no database can keep."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from jeos.server.api.problems import WORD

DEPTH = 20  # lists and objects within each other: nothing that is sent here needs more


class StrictParser(Parser):
    """Takes bodies apart; whatever is raised is answered with 400."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the object that a body holds. Raises ValueError for anything else."""
        try:
            value = json.loads(request.body.decode(), parse_constant=_refuse)
        except RecursionError as error:
            raise ValueError("lists within lists without end") from error
        if not isinstance(value, dict):
            raise ValueError("not an object")
        check(value)
        return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def check(value: object, *, depth: int = 0) -> None:
    """Raise ValueError for texts with NUL or halves of characters, and for values too deep."""
    if depth > DEPTH:
        raise ValueError("too deep")
    if isinstance(value, str):
        if not WORD.match(value):
            raise ValueError("a text holds NUL or half a character")
    elif isinstance(value, dict):
        for name, inner in value.items():
            check(name, depth=depth + 1)
            check(inner, depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check(inner, depth=depth + 1)

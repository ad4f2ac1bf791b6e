"""Which answers an operation gives, for the OpenAPI document: the good one, and the problems that may be instead."""

from __future__ import annotations

from typing import TypeVar

from ninja.responses import Status
from pydantic import BaseModel

from jeos.server.api.problems import Problem

Value = TypeVar("Value", bound=BaseModel)

REFUSED = frozenset({401, 403, 404, 422, 429})
NOT_WRITTEN = REFUSED | {400, 409, 413}


def of(good: object, *, status: int = 200) -> dict[object, object]:
    """Return the answers of an operation that reads."""
    return {status: good, REFUSED: Problem}


def written(good: object, *, status: int = 201) -> dict[object, object]:
    """Return the answers of an operation that writes; `None` answers without a body."""
    return {status: good, NOT_WRITTEN: Problem}


def made(value: Value) -> Status[Value]:
    """Return the answer of an operation that made something."""
    return Status(201, value)


def done() -> Status[None]:
    """Return the answer of an operation after which there is nothing to say."""
    return Status(204, None)

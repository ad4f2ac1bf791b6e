"""What a forum is made of, whatever program it ran on. Numbers are those of the old forum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Person:
    """Somebody with an account there."""

    number: int
    handle: str
    name: str
    email: str
    joined: datetime
    trust: int = 0  # 0 to 4
    password: str = ""  # as Django keeps it; empty if its hash is none that Django checks


@dataclass(frozen=True)
class Room:
    """A part of the old forum."""

    number: int
    name: str
    description: str = ""
    closed: bool = False  # not everybody might read it


@dataclass(frozen=True)
class Topic:
    """A thread, without its posts."""

    number: int
    room: int
    title: str
    author: int
    made: datetime
    closed: bool = False
    pinned: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Message:
    """A post; `place` is its number in its thread there."""

    number: int
    topic: int
    place: int
    author: int
    made: datetime
    source: str  # Markdown
    reply_to: int = 0  # a place


Record = Person | Room | Topic | Message

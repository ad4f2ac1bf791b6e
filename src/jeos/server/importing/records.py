"""What a forum is made of, whatever program it ran on. Numbers are those of the old forum."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_MARKS = re.compile(r"[\[\]\\`<>]")


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
    source: str  # Markdown, where `[name](old-file:NUMBER)` is a file
    reply_to: int = 0  # a place
    files: tuple[int, ...] = ()  # numbers of files that it may refer to


@dataclass(frozen=True)
class File:
    """A file that a post refers to; `place` is where it is within the uploads of the old forum."""

    number: int
    name: str
    author: int
    made: datetime
    place: str
    key: str = ""  # by which addresses named it


Record = Person | Room | Topic | Message | File


def plain_words(text: str) -> str:
    """Return the words of a link without what would end them or mark them."""
    return " ".join(_MARKS.sub("", text).split())


def file_link(words: str, number: int) -> str:
    """Return how a text refers to a file of the old forum."""
    return f"[{plain_words(words)}](old-file:{number})"

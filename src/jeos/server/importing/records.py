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
    about: str = ""


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


@dataclass(frozen=True)
class Face:
    """The picture of a person; `place` is where it is within the uploads, `key` the same for the same picture."""

    number: int  # of the person
    name: str
    place: str
    key: str


@dataclass(frozen=True)
class Reaction:
    """What somebody thought of a post, without words; `number` only counts them."""

    number: int
    person: int
    message: int
    sign: int  # of `content.reactions`
    made: datetime


@dataclass(frozen=True)
class Answer:
    """One answer that a poll offers."""

    number: int
    text: str
    votes: int = 0  # of whom nothing is known


@dataclass(frozen=True)
class Poll:
    """A question in a thread, which is named, or found by one of its posts."""

    number: int
    question: str  # empty: the title of its thread
    answers: tuple[Answer, ...]
    topic: int = 0
    message: int = 0
    choices: int = 1
    closes: datetime | None = None
    voters: int = 0  # of whom nothing is known


@dataclass(frozen=True)
class Ballot:
    """Somebody's choice of one answer; `number` only counts them."""

    number: int
    person: int
    poll: int
    answer: int


@dataclass(frozen=True)
class Interest:
    """What somebody wants to hear of a topic, a room or a tag, one of which is named; `number` only counts them."""

    number: int
    person: int
    level: int  # 1 followed, -1 muted, 0 neither
    topic: int = 0
    room: int = 0
    tag: str = ""
    read: int = 0  # the place up to which a topic was read


Record = Person | Room | Topic | Message | File | Face | Reaction | Poll | Ballot | Interest


def plain_words(text: str) -> str:
    """Return the words of a link without what would end them or mark them."""
    return " ".join(_MARKS.sub("", text).split())


def file_link(words: str, number: int) -> str:
    """Return how a text refers to a file of the old forum."""
    return f"[{plain_words(words)}](old-file:{number})"

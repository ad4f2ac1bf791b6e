"""What the API says of categories, threads, posts and polls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from jeos.server.api import shapes
from jeos.server.content import reactions
from jeos.server.forum import categories, polls
from jeos.server.forum.models import Category, Post, Thread, thread_url


class CategoryOut(BaseModel):
    """A part of the forum."""

    slug: str = Field(examples=["building"])
    name: str = Field(examples=["Building"])
    description: str
    staff: bool = Field(description="for moderators only")
    solvable: bool = Field(description="threads are questions, and have answers")
    threads: int
    posts: int
    url: str


class ThreadOut(BaseModel):
    """A thread; its texts are its posts."""

    number: int = Field(examples=[12])
    category: str = Field(examples=["building"])
    title: str = Field(examples=["No network after the update"])
    tags: list[str]
    author: shapes.Author
    made: datetime
    last_at: datetime = Field(description="of the newest post")
    posts: int
    solved_by: int | None = Field(description="the place of the post that solved it")
    pinned: bool
    closed: bool
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class PostOut(shapes.Text):
    """A post. The first of a thread is the thread's own text."""

    number: int = Field(description="by which the post is found", examples=[345])
    thread: int = Field(examples=[12])
    place: int = Field(description="in its thread, from 1 on", examples=[2])
    reply_to: int | None = Field(description="the place of the post that is answered")
    author: shapes.Author
    made: datetime
    edited: datetime | None
    version: int
    reactions: dict[str, int] = Field(examples=[{"thanks": 2}])
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class PollOptionOut(BaseModel):
    """One answer of a poll."""

    number: int = Field(examples=[7])
    text: str = Field(examples=["Debian"])
    votes: int
    chosen: bool = Field(description="by the caller")


class PollOut(BaseModel):
    """A question above the posts of a thread."""

    question: str = Field(examples=["On what do you run it?"])
    choices: int = Field(description="how many options one member may choose")
    closes: datetime | None
    open: bool
    voters: int
    options: list[PollOptionOut]


def category(found: Category) -> CategoryOut:
    """Return a category."""
    return CategoryOut(
        slug=found.slug,
        name=found.name,
        description=found.description,
        staff=found.staff,
        solvable=found.solvable,
        threads=found.threads,
        posts=found.posts,
        url=shapes.address(found.get_absolute_url()),
    )


def threads(rows: Sequence[Thread]) -> list[ThreadOut]:
    """Return threads as a list has them."""
    return [thread(row, categories.by_number(row.category_id)) for row in rows]


def thread(found: Thread, category: Category) -> ThreadOut:
    """Return a thread without its posts."""
    return ThreadOut(
        number=found.pk,
        category=category.slug,
        title=found.title,
        tags=found.tags.split(),
        author=shapes.author(found.author),
        made=found.made,
        last_at=found.last_at,
        posts=found.posts,
        solved_by=found.solved_number,
        pinned=found.pinned,
        closed=found.closed,
        hidden=found.hidden,
        url=shapes.address(found.get_absolute_url()),
    )


def post(found: Post, thread: Thread) -> PostOut:
    """Return a post."""
    return PostOut(
        number=found.pk,
        thread=thread.pk,
        place=found.number,
        reply_to=found.reply_to,
        author=shapes.author(found.author),
        source=found.source,
        html=found.html,
        made=found.made,
        edited=found.edited,
        version=found.version,
        reactions={reactions.NAMES[int(sign)]: count for sign, count in found.reactions.items()},
        hidden=found.hidden,
        url=shapes.address(thread_url(thread.pk, thread.slug, number=found.number)),
    )


def poll(found: polls.Shown) -> PollOut:
    """Return a poll as its thread shows it."""
    options = [
        PollOptionOut(number=one.pk, text=one.text, votes=one.votes, chosen=one.pk in found.chosen)
        for one in found.options
    ]
    return PollOut(
        question=found.poll.question,
        choices=found.poll.choices,
        closes=found.poll.closes,
        open=found.open,
        voters=found.poll.voters,
        options=options,
    )

"""Values that all parts of the API share: numbers, names, authors, texts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from django import forms
from django.conf import settings
from ninja import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from jeos.server.accounts.models import HANDLE_LENGTH, Member
from jeos.server.api import problems
from jeos.server.content import kinds, markdown

LARGEST = (1 << 53) - 1  # whole numbers that every JSON reader holds exactly (RFC 8259, section 6)

Number = Annotated[int, Path(ge=1, le=LARGEST, examples=[12])]
HandleInPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=HANDLE_LENGTH, examples=["ada"])]
NameInPath = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^/\x00]+$", examples=["boot-order"])]
Cursor = Annotated[str, Query(max_length=800, description="where the page begins: taken from the address in next")]
WordInQuery = Annotated[str, Query(max_length=60, pattern=r"^[^\x00]*$")]

Title = Annotated[str, Field(max_length=150, examples=["No network after the update"])]
Source = Annotated[
    str, Field(min_length=1, max_length=markdown.LENGTH, description="Markdown", examples=["It says *no link*."])
]
Reason = Annotated[str, Field(max_length=200, description="why, for the history", examples=["a typo"])]
Tag = Annotated[str, Field(max_length=40, examples=["uefi"])]
Tags = Annotated[list[Tag], Field(max_length=5)]

Wanted = TypeVar("Wanted", bound=forms.Form)


class Body(BaseModel):
    """What a call sends: nothing but what is named, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Author(BaseModel):
    """Who wrote something."""

    handle: str = Field(examples=["ada"])
    name: str = Field(examples=["Ada"])
    url: str = Field(examples=["https://exchange.example/m/ada/"])


class Text(BaseModel):
    """A text, as it was written and as pages show it."""

    source: str = Field(description="Markdown", examples=["It says *no link*."])
    html: str = Field(examples=["<p>It says <em>no link</em>.</p>\n"])


class Card(BaseModel):
    """Any piece of content, as lists of many kinds show it."""

    kind: str = Field(examples=["thread"])
    number: int = Field(examples=[12])
    title: str = Field(examples=["No network after the update"])
    url: str = Field(examples=["https://exchange.example/forum/t/12/no-network/"])
    author: str = Field(description="a handle; empty where there is none", examples=["ada"])
    date: datetime
    excerpt: str = ""


def address(path: str) -> str:
    """Return the whole address of a page of this site."""
    return f"{settings.ENVIRONMENT.url}{path}"


def author(member: Member) -> Author:
    """Return who wrote something."""
    return Author(handle=member.handle, name=member.shown_name, url=address(f"/m/{member.handle}/"))


def card(found: kinds.Card, *, excerpt: str = "") -> Card:
    """Return a card of the site as the API says it."""
    kind = kinds.find(found.kind)
    return Card(
        kind=kind.name if kind else "",
        number=found.number,
        title=found.title,
        url=address(found.url),
        author=found.author,
        date=found.date,
        excerpt=excerpt or found.excerpt,
    )


def checked(form: Wanted) -> Wanted:
    """Return a form whose values are right. Raises Invalid with what the page of the form would say."""
    if not form.is_valid():
        raise problems.of_form(form)
    return form

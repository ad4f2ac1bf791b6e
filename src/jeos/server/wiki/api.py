"""The wiki's part of the API: pages, changes that begin from a version, and the versions themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, lists, problems, shapes
from jeos.server.content import limits, markdown
from jeos.server.wiki import queries, rights, rules, writing
from jeos.server.wiki.forms import EditForm, NewForm
from jeos.server.wiki.models import TITLE_LENGTH, Change, Page
from jeos.server.wiki.views.access import find, look
from jeos.server.wiki.views.history import find_version

router = Router(tags=["Wiki"])

Version = Annotated[int, Path(ge=1, le=1 << 30, examples=[3])]
LINKS = "New members may add two links to a page. Leave some out, or ask somebody to help."


class PageLine(BaseModel):
    """A page in a list."""

    name: str = Field(examples=["boot-order"])
    title: str = Field(examples=["Boot order"])
    edited: datetime
    version: int
    url: str


class PageOut(shapes.Text):
    """A page with its text."""

    name: str = Field(examples=["boot-order"])
    title: str = Field(examples=["Boot order"])
    tags: list[str]
    author: shapes.Author
    editor: shapes.Author = Field(description="who changed it last")
    made: datetime
    edited: datetime
    version: int = Field(description="what a change says as `base`", examples=[3])
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class Saved(PageOut):
    """A page that was changed."""

    merged: bool = Field(description="others had changed it too; their changes and this one were merged")


class RevisionLine(BaseModel):
    """One version of a page in its history."""

    version: int
    editor: shapes.Author
    reason: str
    made: datetime
    size: int = Field(description="characters more, or less, than before")


class RevisionOut(BaseModel):
    """The text of one version of a page."""

    version: int
    source: str


class PageIn(shapes.Body):
    """A new page."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_LENGTH, examples=["Boot order"])]
    source: shapes.Source
    tags: shapes.Tags = Field(default_factory=list)


class PageChange(shapes.Body):
    """A change of a page, and the version that it began from."""

    base: Annotated[int, Field(ge=1, le=1 << 30, examples=[3])]
    source: shapes.Source
    tags: shapes.Tags | None = None
    reason: shapes.Reason = ""


def _lines(rows: Sequence[Page]) -> list[PageLine]:
    return [
        PageLine(
            name=row.name,
            title=row.title,
            edited=row.edited,
            version=row.version,
            url=shapes.address(row.get_absolute_url()),
        )
        for row in rows
    ]


def _page(found: Page) -> dict[str, object]:
    return {
        "name": found.name,
        "title": found.title,
        "source": found.source,
        "html": found.html,
        "tags": found.tags.split(),
        "author": shapes.author(found.author),
        "editor": shapes.author(found.editor),
        "made": found.made,
        "edited": found.edited,
        "version": found.version,
        "hidden": found.hidden,
        "url": shapes.address(found.get_absolute_url()),
    }


@router.get(
    "/wiki/pages", auth=access.READS, response=answers.of(lists.Listed[PageLine]), summary="Pages of the wiki, by name"
)
def list_pages(request: HttpRequest, response: HttpResponse, after: shapes.Cursor = "") -> lists.Listed[PageLine]:
    """Return all pages."""
    rows = Page.objects.filter(hidden=False).defer("source", "html")
    return lists.page(request, response, rows, _lines, keys={"name": str}, after=after, rising=True)


@router.post("/wiki/pages", auth=access.WRITES, response=answers.written(PageOut), summary="Write a new page")
def write_page(request: HttpRequest, value: PageIn) -> Status[PageOut]:
    """Write a page; one with this title may be there already, and is not changed."""
    member = access.member(request)
    if not rights.may_create(member, rules.current(), now=timezone.now()):
        raise PermissionDenied(_("You cannot write new pages."))
    said = {"title": value.title, "source": value.source, "tags": ",".join(value.tags), "base": 0}
    wanted = shapes.checked(NewForm(said)).cleaned_data
    taken = problems.Conflict(_("There is a page with that title already."))
    if _taken(markdown.page_name(wanted["title"]), member):
        raise taken
    limits.use("page", member=member)
    try:
        with transaction.atomic():
            made = writing.create(
                title=wanted["title"], source=wanted["source"], author=member, tag_names=wanted["tags"]
            )
    except IntegrityError as error:
        raise taken from error
    return answers.made(PageOut.model_validate(_page(made)))


def _taken(name: str, member: Member) -> bool:
    """Tell whether a page has this name, also one that the member may not see."""
    try:
        return look(name, member) is not None
    except Http404:
        return True


@router.get("/wiki/pages/{name}", auth=access.READS, response=answers.of(PageOut), summary="A page of the wiki")
def page(request: HttpRequest, name: shapes.NameInPath) -> PageOut:
    """Return a page by its name, or by one that it had before."""
    return PageOut.model_validate(_page(find(name, access.reader(request))))


@router.put(
    "/wiki/pages/{name}", auth=access.WRITES, response=answers.written(Saved, status=200), summary="Change a page"
)
def change_page(request: HttpRequest, name: shapes.NameInPath, value: PageChange) -> Saved:
    """Change a page. What others wrote since `base` is merged; where that fails, 409 has the text with marks."""
    member = access.member(request)
    found = find(name, member)
    if not rights.may_edit(found, member, rules.current(), now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this page."))
    if value.base > found.version:
        raise problems.Invalid([problems.Fault(where="base", message="the page has no such version yet")])
    find_version(found, value.base, member)
    then = found.tags.split()
    names = then if value.tags is None else value.tags
    said = {"source": value.source, "tags": ",".join(names), "tags_then": found.tags, "base": value.base}
    wanted = shapes.checked(EditForm(said | {"reason": value.reason})).cleaned_data
    limits.use("edit", member=member)
    try:
        done = writing.edit(
            found.pk,
            editor=member,
            base=value.base,
            source=wanted["source"],
            reason=wanted["reason"],
            tags_then=then,
            tags_now=wanted["tags"],
        )
    except writing.TooManyLinks as error:
        raise problems.Invalid([problems.Fault(where="source", message=_(LINKS))]) from error
    if isinstance(done, writing.Conflict):
        detail = _("Others changed the same lines. Choose between the marked versions, and send it with the new base.")
        raise problems.Conflict(detail, {"base": done.page.version, "marked": done.merged.text})
    return Saved.model_validate(_page(done.page) | {"merged": done.merged})


@router.get(
    "/wiki/pages/{name}/revisions",
    auth=access.READS,
    response=answers.of(lists.Listed[RevisionLine]),
    summary="Versions of a page, newest first",
)
def list_revisions(
    request: HttpRequest, response: HttpResponse, name: shapes.NameInPath, after: shapes.Cursor = ""
) -> lists.Listed[RevisionLine]:
    """Return the changes that made a new text."""
    found = find(name, access.reader(request))
    rows = Change.objects.filter(page=found).select_related("editor")

    def shape(changes: Sequence[Change]) -> list[RevisionLine]:
        return [
            RevisionLine(
                version=one.version,
                editor=shapes.author(one.editor),
                reason=one.reason,
                made=one.made,
                size=one.size,
            )
            for one in changes
            if one.has_text
        ]

    return lists.page(request, response, rows, shape, keys=queries.NEWEST, after=after)


@router.get(
    "/wiki/pages/{name}/revisions/{version}",
    auth=access.READS,
    response=answers.of(RevisionOut),
    summary="One version of a page",
)
def revision(request: HttpRequest, name: shapes.NameInPath, version: Version) -> RevisionOut:
    """Return the text of a version."""
    member = access.reader(request)
    found = find(name, member)
    find_version(found, version, member)
    return RevisionOut(version=version, source=writing.source_of(found, version))

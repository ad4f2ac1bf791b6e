"""Writing pages: new ones, changes that are merged with those of others, and going back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds, markdown, moderation, search, tags, texts, trust
from jeos.server.content.markdown import Rendered
from jeos.server.content.merge import Merged, merge
from jeos.server.content.models import Revision
from jeos.server.wiki import links
from jeos.server.wiki.models import Change, Page, Redirect, What


class TooManyLinks(Exception):  # noqa: N818 - named for what a page says
    """A new member adds more links to a page than the site trusts new members with."""


@dataclass(frozen=True)
class Saved:
    """A page with a change in it; `merged` with what others wrote meanwhile."""

    page: Page
    merged: bool = False


@dataclass(frozen=True)
class Conflict:
    """A change that cannot be merged: both texts, marked, and the page as others have left it."""

    page: Page
    merged: Merged


def exists(name: str) -> bool:
    """Tell whether a name is taken, by a page or by where one was before."""
    return Page.objects.filter(name=name).exists() or Redirect.objects.filter(name=name).exists()


@transaction.atomic
def create(
    *, title: str, source: str, author: Member, tag_names: Sequence[str] = (), now: datetime | None = None
) -> Page:
    """Write a new page. Raises IntegrityError if somebody was faster."""
    now = now or timezone.now()
    page = Page(name=markdown.page_name(title), title=title, author=author, editor=author, made=now, edited=now)
    rendered, mentioned = texts.fill(page, source)
    held = trust.reason_to_wait(
        author,
        title=title,
        source=source,
        plain=rendered.plain,
        links=rendered.links,
        mentions=len(mentioned),
        what="page",
    )
    page.hidden = bool(held)
    page.save(force_insert=True)
    page.tags = _tag(page, tag_names)
    change = _note(page, What.MADE, editor=author, size=len(source), now=now)
    following.follow_once(author.pk, kinds.WIKI_PAGE, page.pk)
    links.arrive(page, page.name)
    if held:
        tags.clear(kinds.WIKI_PAGE, page.pk)
        moderation.hold(kinds.WIKI_PAGE, page.pk, author=author.pk, why=held)
    else:
        links.store(page, rendered.pages)
        search.index().put([entry(page, rendered)])
        _announce(change)
    trust.count(author, now=now)
    return page


@transaction.atomic
def edit(
    number: int,
    *,
    editor: Member,
    base: int,
    source: str,
    reason: str = "",
    tags_then: Sequence[str] = (),
    tags_now: Sequence[str] = (),
    what: What = What.EDITED,
    now: datetime | None = None,
) -> Saved | Conflict:
    """Save a change that began from the version `base`, merged with what others wrote since.

    Raises TooManyLinks for what new members may not do.
    """
    now = now or timezone.now()
    page = Page.objects.select_for_update().get(pk=number)
    behind = base != page.version
    if behind:
        merged = merge(
            source_of(page, base),
            page.source,
            source,
            theirs_name=_("version {n}").format(n=page.version),
            mine_name=_("your text"),
        )
        if merged.conflicts:
            return Conflict(page, merged)
        source = merged.text
    names = _merged_tags(page, then=tags_then, now=tags_now)
    if source == page.source and names == page.tags.split():
        return Saved(page, merged=False)
    _save(page, source, names, editor=editor, reason=reason, what=what, now=now)
    return Saved(page, merged=behind)


def _save(
    page: Page, source: str, names: Sequence[str], *, editor: Member, reason: str, what: What, now: datetime
) -> None:
    """Write a new version of a page, and all that follows from it."""
    old_source = page.source
    old = texts.Version(source=old_source, title=page.title, editor=page.editor_id, made=page.edited)
    rendered, _mentioned = texts.fill(page, source)
    if editor.trust == 0 and not editor.moderates:
        added = rendered.links - markdown.render(old_source).links
        if added > trust.LINKS_BY_NEW:
            raise TooManyLinks(f"{added} links")
    new = texts.Version(source=source, title=page.title)
    page.version = texts.revise(kinds.WIKI_PAGE, page.pk, old=old, new=new, editor=editor, reason=reason)
    page.editor, page.edited = editor, now
    page.tags = _tag(page, names) if not page.hidden else " ".join(names)
    page.save()
    size = len(source) - len(old_source)
    change = _note(page, what, editor=editor, size=size, reason=reason, now=now)
    following.follow_once(editor.pk, kinds.WIKI_PAGE, page.pk)
    if not page.hidden:
        links.store(page, rendered.pages)
        search.index().put([entry(page, rendered)])
        _announce(change)
    trust.count(editor, now=now)


def revert(page: Page, version: int, *, editor: Member, base: int) -> Saved | Conflict:
    """Let a page be what it was in an earlier version, if it still is what the editor saw."""
    reason = _("back to version {n}").format(n=version)
    return edit(page.pk, editor=editor, base=base, source=source_of(page, version), reason=reason, what=What.REVERTED)


def source_of(page: Page, version: int) -> str:
    """Return the text of a version; that of one which never was is empty."""
    if version == page.version:
        return page.source
    found = Revision.objects.filter(kind=kinds.WIKI_PAGE, number=page.pk, version=version)
    return found.values_list("source", flat=True).first() or ""


def without(page: Page, version: int) -> Merged:
    """Return the text of a page without what one version changed, later changes kept; with marks where that fails."""
    return merge(
        source_of(page, version),
        page.source,
        source_of(page, version - 1),
        theirs_name=_("version {n}").format(n=page.version),
        mine_name=_("version {n}").format(n=version - 1),
    )


def _merged_tags(page: Page, *, then: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the tags of a page with those that the editor added, without those that the editor removed."""
    kept = [name for name in page.tags.split() if name in now or name not in then]
    return [*kept, *(name for name in now if name not in kept and name not in then)][: tags.PER_THING]


def _tag(page: Page, names: Sequence[str]) -> str:
    chosen = tags.set_tags(kinds.WIKI_PAGE, page.pk, names, date=page.made)
    joined = " ".join(tag.name for tag in chosen)
    Page.objects.filter(pk=page.pk).update(tags=joined)
    return joined


def _note(page: Page, what: What, *, editor: Member, size: int, now: datetime, reason: str = "") -> Change:
    return Change.objects.create(
        page=page, what=what, version=page.version, editor=editor, reason=reason, made=now, size=size
    )


def _announce(change: Change) -> None:
    """Let a worker tell those whom a change concerns."""
    from jeos.server.wiki import tasks  # tasks import what writes

    tasks.announce.enqueue(change.pk)


def entry(page: Page, rendered: Rendered) -> search.Entry:
    """Return what search knows of a page."""
    return search.Entry(
        kind=kinds.WIKI_PAGE,
        number=page.pk,
        head=True,
        date=page.edited,
        author=page.author_id,
        title=page.title,
        body=rendered.plain,
        tags=tuple(page.tags.split()),
    )

"""Comments below content of any kind: written, changed, hidden, shown.

A section whose kind has `count_comments` shows them by `{% include "content/comments.html" %}` with `talk`:

    "talk": comments.talk(kinds.IDEA, idea.pk, member, after=request.GET.get("comments"), now=now)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds, markdown, moderation, search, texts, trust
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.content.models import Comment, Document, Draft

PAGE = 50  # comments on a page
LONGEST_CURSOR = 18  # digits: what fits a row's number on both databases


@dataclass(frozen=True)
class Talk:
    """The comments of a piece of content as a page shows them, oldest first."""

    kind: int
    number: int
    comments: Sequence[Comment]
    after: int  # the next page begins after this comment; 0 at the end
    later: bool  # this is not the first page
    may_write: bool
    draft: Draft | None


def talk(kind: int, number: int, member: Member | None, *, after: str | None, now: datetime) -> Talk:
    """Return a page of the comments on something, those that `member` may see."""
    begin = int(after) if after and after.isdecimal() and len(after) <= LONGEST_CURSOR else 0
    rows = Comment.objects.filter(kind=kind, number=number, pk__gt=begin).select_related("author").order_by("pk")
    found = list(rows[: PAGE + 1])
    shown = [row for row in found[:PAGE] if may_see(row, member)]
    return Talk(
        kind=kind,
        number=number,
        comments=shown,
        after=found[PAGE - 1].pk if len(found) > PAGE else 0,
        later=begin > 0,
        may_write=trust.may_write(member, now=now),
        draft=texts.draft(member, draft_place(kind, number)) if member else None,
    )


def draft_place(kind: int, number: int) -> str:
    """Return the name of the place where drafts of comments on something are kept."""
    return f"comment.{kind}.{number}"


def may_see(comment: Comment, member: Member | None) -> bool:
    """Tell whether somebody may read a comment on something that is to be read; a hidden one its author still sees."""
    return not comment.hidden or (member is not None and (member.moderates or member.pk == comment.author_id))


def may_edit(comment: Comment, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may change a comment: its author while it is shown, moderators always."""
    if member is None or not trust.may_write(member, now=now):
        return False
    return member.moderates or (comment.author_id == member.pk and not comment.hidden)


@transaction.atomic
def write(kind: int, number: int, *, author: Member, source: str, now: datetime | None = None) -> Comment:
    """Comment on something. Raises LookupError for a kind that takes no comments."""
    known = kinds.find(kind)
    if known is None or known.count_comments is None:
        raise LookupError(f"content {kind}/{number} takes no comments")
    now = now or timezone.now()
    comment = Comment(kind=kind, number=number, author=author, made=now)
    rendered, mentioned = texts.fill(comment, source)
    held = trust.reason_to_wait(
        author,
        source=source,
        plain=rendered.plain,
        links=rendered.links,
        mentions=len(mentioned),
        what="comment",
    )
    comment.hidden = bool(held)
    comment.save()
    following.follow_once(author.pk, kind, number)
    trust.count(author, now=now)
    if held:
        moderation.hold(kinds.COMMENT, comment.pk, author=author.pk, why=held)
        return comment
    known.count_comments(number, 1)
    search.index().put([_entry(comment, rendered)], new=True)
    from jeos.server.content import tasks  # tasks import what writes, to be able to write themselves

    tasks.announce_comment.enqueue(comment.pk)
    return comment


@transaction.atomic
def edit(comment: Comment, *, editor: Member, source: str, reason: str = "") -> None:
    """Change a comment; what it was stays in its history."""
    if source == comment.source:
        return
    old = texts.Version(source=comment.source, editor=comment.author_id, made=comment.made)
    new = texts.Version(source=source)
    comment.version = texts.revise(kinds.COMMENT, comment.pk, old=old, new=new, editor=editor, reason=reason)
    rendered, _mentioned = texts.fill(comment, source)
    comment.edited = timezone.now()
    comment.save(update_fields=["source", "html", "renderer", "edited", "version"])
    if not comment.hidden:
        search.index().put([_entry(comment, rendered)])


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide a comment or show it again: below its content, in the count and in search."""
    comment = Comment.objects.get(pk=number)
    if not Comment.objects.filter(pk=number, hidden=not hidden).update(hidden=hidden):
        return
    known = kinds.find(comment.kind)
    if known is not None and known.count_comments is not None:
        known.count_comments(comment.number, -1 if hidden else 1)
    if hidden:
        search.index().remove([(kinds.COMMENT, number)])
    else:
        search.index().put([_entry(comment, texts.render(comment.source)[0])])


def move(kind: int, source: int, target: int) -> int:
    """Let the comments on one thing be on another of its kind; return how many of them are shown."""
    shown = Comment.objects.filter(kind=kind, number=source, hidden=False).count()
    Comment.objects.filter(kind=kind, number=source).update(number=target)
    return shown


def _entry(comment: Comment, rendered: markdown.Rendered) -> search.Entry:
    """Return what search knows of a comment; who may read what it is about may read it."""
    area = Document.objects.filter(kind=comment.kind, number=comment.number).values_list("area", flat=True).first()
    return search.Entry(
        kind=kinds.COMMENT,
        number=comment.pk,
        head=False,
        date=comment.made,
        area=area or 0,
        author=comment.author_id,
        body=rendered.plain,
    )


def place(comment: Comment, about: str) -> str:
    """Return where a comment stands on the pages of what it is about, whose address is `about`."""
    earlier = Comment.objects.filter(kind=comment.kind, number=comment.number, pk__lt=comment.pk)
    far = len(earlier.values_list("pk", flat=True)[:PAGE]) == PAGE
    return f"{about}{f'?comments={comment.pk - 1}' if far else ''}#c{comment.pk}"


def cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of comments on what somebody may read."""
    rows = list(Comment.objects.filter(pk__in=numbers, hidden=False).select_related("author"))
    about = {
        (card.kind, card.number): card
        for card in kinds.cards({(row.kind, row.number): None for row in rows}, member=member)
    }
    return {
        row.pk: Card(
            kind=kinds.COMMENT,
            number=row.pk,
            title=about[row.kind, row.number].title,
            url=row.get_absolute_url(),
            author=row.author.handle,
            date=row.made,
            excerpt=markdown.opening(row.source),
            note=_("comment"),
        )
        for row in rows
        if (row.kind, row.number) in about
    }


def body(number: int) -> Body | None:
    """Return a comment as moderators need it."""
    comment = Comment.objects.filter(pk=number).first()
    if comment is None:
        return None
    known = kinds.find(comment.kind)
    about = known.body(comment.number) if known else None
    title = about.title if about else str(comment)
    return Body(comment.author_id, title, comment.get_absolute_url(), comment.source, comment.hidden)


def register() -> None:
    """Register what comments are for the rest of the site."""
    kinds.register(
        Kind(
            code=kinds.COMMENT,
            name="comment",
            label=gettext_lazy("comment"),
            cards=cards,
            body=body,
            set_hidden=set_hidden,
        )
    )

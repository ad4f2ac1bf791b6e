"""Writing practices: drafts, changes, putting them up for review, hiding them. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds, markdown, moderation, search, tags, texts, trust
from jeos.server.content.models import Reference
from jeos.server.practices.models import HEADINGS, PARTS, PUBLIC, Practice, State, slug_of


@dataclass(frozen=True)
class Wanted:
    """What an author wrote, before it is a row."""

    title: str
    parts: Mapping[str, str]
    organisation: str = ""
    holds_for: str = ""
    months: int = 12
    tags: Sequence[str] = ()

    @property
    def document(self) -> str:
        """Return what peers judge as one text, for history and search."""
        head = [f"Holds for: {self.holds_for}"] if self.holds_for else []
        blocks = [f"## {part.capitalize()}\n\n{self.parts[part]}" for part in PARTS]
        return "\n\n".join([*head, *blocks]) + "\n"


def as_written(practice: Practice) -> Wanted:
    """Return a practice as its author wrote it."""
    return Wanted(
        title=practice.title,
        parts={part: getattr(practice, part) for part in PARTS},
        organisation=practice.organisation,
        holds_for=practice.holds_for,
        months=practice.months,
        tags=practice.tags.split(),
    )


def _fill(practice: Practice, wanted: Wanted) -> tuple[int, int]:
    """Set what a row says; return how many links and how many mentions there are in it."""
    rendered = {part: texts.render(wanted.parts[part]) for part in PARTS}
    for part in PARTS:
        setattr(practice, part, wanted.parts[part])
    practice.html = {part: made.html for part, (made, _members) in rendered.items()}
    practice.renderer = markdown.RENDERER
    practice.title, practice.slug = wanted.title, slug_of(wanted.title)
    practice.organisation, practice.holds_for, practice.months = wanted.organisation, wanted.holds_for, wanted.months
    return sum(made.links for made, _ in rendered.values()), sum(len(members) for _, members in rendered.values())


@transaction.atomic
def draft(wanted: Wanted, *, author: Member, now: datetime | None = None) -> Practice:
    """Begin a practice that only its author and moderators see."""
    practice = Practice(author=author, made=now or timezone.now(), tags=" ".join(wanted.tags))
    _fill(practice, wanted)
    practice.save()
    Reference.note(kinds.PRACTICE, practice.pk, wanted.document)
    following.follow_once(author.pk, kinds.PRACTICE, practice.pk)
    return practice


@transaction.atomic
def submit(practice: Practice, *, now: datetime | None = None) -> None:
    """Put a draft up for review: from now on everybody reads it. Raises ValueError for what is no draft."""
    now = now or timezone.now()
    locked = hold(practice)
    if locked.state != State.DRAFT:
        raise ValueError(f"practice {practice.pk} is no draft")
    author = Member.objects.get(pk=locked.author_id)
    links, mentions = _fill(locked, as_written(locked))
    locked.state, locked.submitted = State.REVIEW, now
    written = as_written(locked).document
    held = trust.reason_to_wait(
        author,
        title=locked.title,
        source=written,
        plain=texts.render(written)[0].plain,
        links=links,
        mentions=mentions,
        what="practice",
    )
    locked.hidden = bool(held)
    locked.save()
    trust.count(author, now=now)
    if held:
        moderation.hold(kinds.PRACTICE, locked.pk, author=author.pk, why=held)
    else:
        show(locked)
    practice.refresh_from_db()


@transaction.atomic
def edit(practice: Practice, wanted: Wanted, *, editor: Member, reason: str = "") -> None:
    """Change a practice; what it was stays in its history.

    When its author changes what peers are to judge, or have judged, the review begins anew.
    """
    locked = hold(practice)
    old, public = as_written(locked), locked.state in PUBLIC
    changed = (old.title, old.document) != (wanted.title, wanted.document)
    if changed and public:
        locked.version = texts.revise(
            kinds.PRACTICE,
            locked.pk,
            old=texts.Version(
                source=old.document, title=old.title, editor=locked.author_id, made=locked.submitted or locked.made
            ),
            new=texts.Version(source=wanted.document, title=wanted.title),
            editor=editor,
            reason=reason,
        )
        locked.edited = timezone.now()
        if editor.pk == locked.author_id:
            locked.round += 1
            locked.approvals = locked.objections = 0
            locked.state, locked.submitted = State.REVIEW, timezone.now()
            locked.proven = locked.expires = None
            locked.told = False
    _fill(locked, wanted)
    locked.tags = " ".join(wanted.tags)
    locked.save()
    Reference.note(kinds.PRACTICE, locked.pk, wanted.document)
    if public and not locked.hidden:
        show(locked)
    practice.refresh_from_db()


def hold(practice: Practice) -> Practice:
    """Return the row of a practice, held until the transaction ends."""
    return Practice.objects.select_for_update(no_key=True).get(pk=practice.pk)


def show(practice: Practice) -> None:
    """Let tags and search know a practice as it is now."""
    chosen = tags.set_tags(kinds.PRACTICE, practice.pk, practice.tags.split(), date=practice.submitted or practice.made)
    practice.tags = " ".join(tag.name for tag in chosen)
    Practice.objects.filter(pk=practice.pk).update(tags=practice.tags)
    rendered, _mentioned = texts.render(as_written(practice).document[: markdown.LENGTH])
    entry = search.Entry(
        kind=kinds.PRACTICE,
        number=practice.pk,
        head=True,
        date=practice.submitted or practice.made,
        author=practice.author_id,
        title=practice.title,
        body=rendered.plain,
        tags=tuple(practice.tags.split()),
    )
    search.index().put([entry])


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide a practice or show it again: in lists, tags and search."""
    practice = Practice.objects.select_for_update(no_key=True).get(pk=number)
    practice.hidden = hidden
    Practice.objects.filter(pk=number).update(hidden=hidden)
    if hidden:
        search.index().remove([(kinds.PRACTICE, number)])
        tags.clear(kinds.PRACTICE, number)
    elif practice.state in PUBLIC:
        show(practice)


def whole_html(practice: Practice) -> str:
    """Return all parts as one text, for feeds."""
    return "".join(f"<h2>{HEADINGS[part]}</h2>\n{practice.html.get(part, '')}" for part in PARTS)

"""Writing ideas: posting, editing, finding those that say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds, moderation, search, tags, texts, trust
from jeos.server.content.markdown import Rendered
from jeos.server.content.search.query import Query
from jeos.server.ideas import voting
from jeos.server.ideas.models import Idea, slug_of

SIMILAR = 5  # ideas that are shown before one is posted
WORDS = 8  # words of a title that are searched
SHORTEST = 4  # letters of a word that says something
HITS = 30  # ideas that one word brings


@transaction.atomic
def post(
    *, author: Member, title: str, source: str, tag_names: Sequence[str] = (), now: datetime | None = None
) -> Idea:
    """Post an idea."""
    now = now or timezone.now()
    idea = Idea(title=title, slug=slug_of(title), author=author, made=now, trend=voting.trend(now, ()))
    rendered, mentioned = texts.fill(idea, source)
    held = trust.reason_to_wait(
        author,
        title=title,
        source=source,
        plain=rendered.plain,
        links=rendered.links,
        mentions=len(mentioned),
        what="idea",
    )
    idea.hidden = bool(held)
    idea.save()
    chosen = tags.set_tags(kinds.IDEA, idea.pk, tag_names, date=now)
    idea.tags = " ".join(tag.name for tag in chosen)
    Idea.objects.filter(pk=idea.pk).update(tags=idea.tags)
    trust.count(author, now=now)
    following.follow_once(author.pk, kinds.IDEA, idea.pk)
    if held:
        tags.clear(kinds.IDEA, idea.pk)
        moderation.hold(kinds.IDEA, idea.pk, author=author.pk, why=held)
    else:
        search.index().put([entry(idea, rendered)], new=True)
        from jeos.server.ideas import tasks  # tasks import what writes, to be able to write themselves

        tasks.announce.enqueue(idea.pk)
    return idea


@transaction.atomic
def edit(idea: Idea, *, editor: Member, title: str, source: str, tag_names: Sequence[str], reason: str = "") -> None:
    """Change an idea; what it was stays in its history."""
    if (title, source) != (idea.title, idea.source):
        old = texts.Version(source=idea.source, title=idea.title, editor=idea.author_id, made=idea.made)
        new = texts.Version(source=source, title=title)
        idea.version = texts.revise(kinds.IDEA, idea.pk, old=old, new=new, editor=editor, reason=reason)
        texts.fill(idea, source)
        idea.title, idea.slug, idea.edited = title, slug_of(title), timezone.now()
    if not idea.hidden:
        chosen = tags.set_tags(kinds.IDEA, idea.pk, tag_names, date=idea.made)
        idea.tags = " ".join(tag.name for tag in chosen)
    idea.save(update_fields=["title", "slug", "source", "html", "renderer", "edited", "version", "tags"])
    if not idea.hidden:
        reindex(idea)


def reindex(idea: Idea) -> None:
    """Let search know an idea as it is now."""
    search.index().put([entry(idea, texts.render(idea.source)[0])])


def entry(idea: Idea, rendered: Rendered) -> search.Entry:
    """Return what search knows of an idea: its title, its tags and its text."""
    return search.Entry(
        kind=kinds.IDEA,
        number=idea.pk,
        head=True,
        date=idea.made,
        author=idea.author_id,
        title=idea.title,
        body=rendered.plain,
        tags=tuple(idea.tags.split()),
    )


def similar(title: str) -> list[Idea]:
    """Return the ideas that share most words with a title, those with more votes first among equals."""
    words = [word for word in dict.fromkeys(title.lower().split()) if len(word) >= SHORTEST][:WORDS]
    shared: Counter[int] = Counter()
    for word in words:
        term = search.parse(f'"{word}"').terms
        query = Query(terms=term, kinds=("idea",))
        hits = search.index().find(query, limit=HITS) if term else []
        shared.update({hit.number: 2 if hit.tier == 0 else 1 for hit in hits})  # a word of the title says more
    best = [number for number, _points in shared.most_common(SIMILAR * 2)]
    found = Idea.objects.filter(pk__in=best, hidden=False)
    return sorted(found, key=lambda idea: (-shared[idea.pk], -idea.votes))[:SIMILAR]

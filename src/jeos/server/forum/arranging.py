"""What administrators do to categories: make them, change them, put them in order, remove empty ones."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max, Sum

from jeos.server.accounts.models import Member
from jeos.server.content import audit, following, kinds
from jeos.server.content.models import Document, Following
from jeos.server.forum import categories
from jeos.server.forum.models import Category, Post, ReadCategory, Thread

FIELDS = ("name", "slug", "description", "hue", "staff", "start_trust", "reply_trust", "slow_seconds", "solvable")


@transaction.atomic
def make(wanted: dict[str, object], *, actor: Member) -> Category:
    """Make a category, after all others."""
    last = Category.objects.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    made = Category.objects.create(**{name: wanted[name] for name in FIELDS}, position=position)
    audit.record(actor, "category.make", details={"category": made.slug})
    _changed()
    return made


@transaction.atomic
def change(category: Category, wanted: dict[str, object], *, actor: Member) -> None:
    """Change a category. One that is closed, or opened, is so for search in the same moment."""
    row = Category.objects.select_for_update().get(pk=category.pk)
    different = [name for name in FIELDS if getattr(row, name) != wanted[name]]
    if not different:
        return
    area = row.area
    for name in different:
        setattr(row, name, wanted[name])
    row.save(update_fields=different)
    if row.area != area:
        _move_documents(row)
    details: dict[str, audit.Json] = {"category": row.slug, **{name: str(wanted[name]) for name in different}}
    audit.record(actor, "category.change", details=details)
    _changed()


def _move_documents(category: Category) -> None:
    """Let search know who may read a category now."""
    threads = Thread.objects.filter(category=category).values("pk")
    posts = Post.objects.filter(thread__category=category).values("pk")
    Document.objects.filter(kind=kinds.THREAD, number__in=threads).update(area=category.area)
    Document.objects.filter(kind=kinds.POST, number__in=posts).update(area=category.area)


@transaction.atomic
def move(category: Category, step: int, *, actor: Member) -> None:
    """Put a category one place up (-1) or down (1); at the end of the list nothing happens."""
    rows = list(Category.objects.select_for_update().order_by("position", "id"))
    here = next(place for place, row in enumerate(rows) if row.pk == category.pk)
    there = here + step
    if not 0 <= there < len(rows):
        return
    rows[here], rows[there] = rows[there], rows[here]
    for position, row in enumerate(rows):
        row.position = position
    Category.objects.bulk_update(rows, ["position"])
    audit.record(actor, "category.move", details={"category": category.slug, "position": there})
    _changed()


@transaction.atomic
def remove(category: Category, *, actor: Member) -> None:
    """Delete a category that no thread is in. Raises ValueError for another."""
    Category.objects.select_for_update().get(pk=category.pk)
    if Thread.objects.filter(category=category).exists():
        raise ValueError(f"there are threads in {category.slug}")
    ReadCategory.objects.filter(category=category).delete()
    Following.objects.filter(kind=following.CATEGORY, number=category.pk).delete()
    Category.objects.filter(pk=category.pk).delete()
    audit.record(actor, "category.remove", details={"category": category.slug})
    _changed()


def _changed() -> None:
    """Read the categories anew: here at once, and once more when the change holds."""
    categories.forget()
    transaction.on_commit(categories.forget)


def threads() -> int:
    """Return how many threads there are, from the counters of the categories."""
    return int(Category.objects.order_by().aggregate(n=Sum("threads"))["n"] or 0)


def posts() -> int:
    """Return how many posts there are, from the counters of the categories."""
    return int(Category.objects.order_by().aggregate(n=Sum("posts"))["n"] or 0)

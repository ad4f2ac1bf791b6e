"""Finding what an address names, if who asks may see it; everybody else learns only that there is nothing."""

from __future__ import annotations

from django.http import Http404

from jeos.server import rows
from jeos.server.accounts.models import Member
from jeos.server.forum import categories, rights
from jeos.server.forum.models import Category, Post, Thread


def find_category(slug: str, member: Member | None) -> Category:
    """Return a category. Raises Http404."""
    category = categories.by_slug(slug)
    if category is None or not rights.may_read(category, member):
        raise Http404
    return category


def find_thread(number: int, member: Member | None) -> tuple[Thread, Category]:
    """Return a thread and its category. Raises Http404. A merged thread is returned as it is, to lead on."""
    thread = rows.by_number(Thread, number)
    if thread is None:
        raise Http404
    return thread, category_of(thread, member)


def category_of(thread: Thread, member: Member | None) -> Category:
    """Return the category of a thread that somebody asks for. Raises Http404 for one that is not to be seen."""
    category = categories.by_number(thread.category_id)
    if thread.moved_to_id is not None and rights.may_read(category, member):
        return category
    if not rights.may_see(thread, category, member):
        raise Http404
    return category


def find_post(number: int, member: Member | None) -> tuple[Post, Thread, Category]:
    """Return a post with its thread and category. Raises Http404; a hidden post is for its author and moderators."""
    post = rows.by_number(Post, number)
    if post is None:
        raise Http404
    thread, category = find_thread(post.thread_id, member)
    if post.hidden and (member is None or not (member.moderates or member.pk == post.author_id)):
        raise Http404
    return post, thread, category

"""Finding what an address names, if who asks may see it; everybody else learns only that there is nothing."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from jeos.server.accounts.models import Member
from jeos.server.blog import rights
from jeos.server.blog.models import Post, Series


def find_author(handle: str) -> Member:
    """Return whose blog it is: any member, those too who left. Raises Http404."""
    return get_object_or_404(Member, handle=handle)


def find_post(number: int, member: Member | None) -> Post:
    """Return a post with its author and series. Raises Http404."""
    post = get_object_or_404(Post.objects.select_related("author", "series"), pk=number)
    if not rights.may_see(post, member):
        raise Http404
    return post


def find_series(handle: str, slug: str) -> Series:
    """Return a series with its author. Raises Http404."""
    return get_object_or_404(Series.objects.select_related("author"), author__handle=handle, slug=slug)

"""Finding the practice that an address names, if who asks may see it; others learn only that there is nothing."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from jeos.server.accounts.models import Member
from jeos.server.practices import rights
from jeos.server.practices.models import Practice


def find_practice(number: int, member: Member | None) -> Practice:
    """Return a practice. Raises Http404."""
    practice = get_object_or_404(Practice.objects.select_related("author"), pk=number)
    if not rights.may_see(practice, member):
        raise Http404
    return practice

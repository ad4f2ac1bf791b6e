"""Finding the idea that an address names, if who asks may see it; everybody else learns only that there is nothing."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from jeos.server.accounts.models import Member
from jeos.server.ideas import rights
from jeos.server.ideas.models import Idea


def find_idea(number: int, member: Member | None) -> Idea:
    """Return an idea. Raises Http404. A merged idea is returned as it is, to lead on."""
    idea = get_object_or_404(Idea.objects.select_related("author", "answered_by", "merged_into"), pk=number)
    if idea.merged_into is not None and not idea.merged_into.hidden:
        return idea
    if not rights.may_see(idea, member):
        raise Http404
    return idea


def find_own(number: int, member: Member | None) -> Idea:
    """Return an idea that can be worked with: not one that was merged. Raises Http404."""
    idea = find_idea(number, member)
    if idea.merged_into_id is not None:
        raise Http404
    return idea

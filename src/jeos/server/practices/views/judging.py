"""Reviewing, rating and renewing a practice."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, for_moderators
from jeos.server.content import kinds, limits, notifications
from jeos.server.practices import proving, rating, rights
from jeos.server.practices.forms import RatingForm, ReviewForm
from jeos.server.practices.models import Rating, State, Verdict
from jeos.server.practices.views.access import find_practice
from jeos.server.practices.views.practices import page_of


@require_POST
@for_members
def review(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Say as a peer whether a practice holds."""
    found = find_practice(number, member)
    if not rights.may_review(found, member, now=timezone.now()):
        raise PermissionDenied(_("Peers whom the site knows review practices, and never their own."))
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return render(request, "practices/practice.html", page_of(request, found, member, review=form))
    limits.use("post", member=member)
    verdict = Verdict(form.cleaned_data["verdict"])
    proving.review(found, reviewer=member, verdict=verdict, source=form.cleaned_data["source"])
    if found.state == State.PROVEN:
        messages.success(request, _("That was the last approval it needed: it is proven."))
    return redirect(found)


@require_POST
@for_members
def rate(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Rate a practice."""
    found = find_practice(number, member)
    if not rights.may_rate(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot rate this practice."))
    form = RatingForm(request.POST)
    if not form.is_valid():
        return render(request, "practices/practice.html", page_of(request, found, member, rating=form))
    limits.use("post", member=member)
    rating.rate(found, member=member, stars=form.cleaned_data["stars"], reason=form.cleaned_data["reason"])
    return redirect(f"{found.get_absolute_url()}#ratings")


@require_POST
@for_moderators
def hide_rating(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Hide a rating, or show it again."""
    found = get_object_or_404(Rating.objects.select_related("practice", "member"), pk=number)
    rating.set_hidden(found, not found.hidden, actor=member)
    return redirect(f"{found.practice.get_absolute_url()}#ratings")


@require_POST
@for_members
def renew(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Say that a practice still holds; what was told about it counts as seen."""
    found = find_practice(number, member)
    if not rights.may_renew(found, member, now=timezone.now()):
        raise PermissionDenied(_("Its author renews a practice."))
    proving.renew(found, actor=member)
    notifications.see(member, about=(kinds.PRACTICE, found.pk))
    messages.success(request, _("Renewed. Thank you for looking at it again."))
    return redirect(found)

"""A practice: its page, writing and changing it, its history."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import comments, following, kinds, limits, paging, texts, trust
from jeos.server.practices import rights, writing
from jeos.server.practices.forms import PracticeForm, RatingForm, ReviewForm
from jeos.server.practices.models import HEADINGS, PARTS, RATED, Practice, Rating, Review, Verdict
from jeos.server.practices.rating import STARS
from jeos.server.practices.views.access import find_practice

RATINGS = 10  # on a page


@require_GET
def practice(request: HttpRequest, number: int, slug: str = "") -> HttpResponse:
    """Show a practice with its reviews, ratings and comments."""
    member = visitor(request)
    found = find_practice(number, member)
    if slug != found.slug:
        return redirect(found, permanent=True)
    return render(request, "practices/practice.html", page_of(request, found, member))


def page_of(
    request: HttpRequest,
    found: Practice,
    member: Member | None,
    *,
    review: ReviewForm | None = None,
    rating: RatingForm | None = None,
) -> dict[str, object]:
    """Return what the page of a practice shows; with forms that were filled in wrongly."""
    now = timezone.now()
    reviews = list(Review.objects.filter(practice=found, round=found.round).select_related("reviewer").order_by("pk"))
    return {
        "practice": found,
        "member": member,
        "sections": [(part, HEADINGS[part], found.html.get(part, "")) for part in PARTS],
        "reviews": reviews,
        "ratings": _ratings(request, found, member) if found.state in RATED else None,
        "needed": settings.PRACTICE_APPROVALS,
        "verdicts": Verdict.choices,
        "review_form": review or ReviewForm(initial=_own_review(reviews, member)),
        "rating_form": rating or RatingForm(),
        "stars": range(STARS, 0, -1),
        "may_edit": rights.may_edit(found, member, now=now),
        "may_submit": rights.may_submit(found, member, now=now),
        "may_review": rights.may_review(found, member, now=now),
        "may_rate": rights.may_rate(found, member, now=now),
        "may_renew": rights.may_renew(found, member, now=now),
        "level": following.level(member, kinds.PRACTICE, found.pk) if member else 0,
        "talk": comments.talk(kinds.PRACTICE, found.pk, member, after=request.GET.get("comments"), now=now),
        "talk_url": found.get_absolute_url(),
    }


def _own_review(reviews: list[Review], member: Member | None) -> dict[str, object]:
    """Return what the member said in this round, to be changed."""
    own = next((review for review in reviews if member is not None and review.reviewer_id == member.pk), None)
    return {"verdict": own.verdict, "source": own.source} if own else {}


def _ratings(request: HttpRequest, found: Practice, member: Member | None) -> paging.Page[Rating]:
    """Return a page of ratings; hidden ones are for moderators."""
    rows = Rating.objects.filter(practice=found).select_related("member")
    if member is None or not member.moderates:
        rows = rows.filter(hidden=False)
    return paging.newest(rows, keys={"date": datetime, "id": int}, after=request.GET.get("ratings"), size=RATINGS)


def _preview(request: HttpRequest) -> list[tuple[object, str]]:
    """Return the parts of a form as they will look."""
    return [(HEADINGS[part], texts.render(request.POST.get(part, ""))[0].html) for part in PARTS]


@for_members
def write(request: HttpRequest, member: Member) -> HttpResponse:
    """Begin a practice: kept as a draft, or put up for review at once."""
    trust.check_may_write(member, now=timezone.now())
    form = PracticeForm(request.POST or None, initial={"months": 12, "tags": request.GET.get("tags", "")})
    context: dict[str, object] = {"form": form, "headings": HEADINGS, "draft": True}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = _preview(request)
    elif request.method == "POST" and form.is_valid():
        limits.use("practice", member=member)
        made = writing.draft(form.wanted(), author=member)
        if "submit" in request.POST:
            writing.submit(made)
        return redirect(made)
    return render(request, "practices/write.html", context)


@for_members
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change a practice."""
    found = find_practice(number, member)
    if not rights.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this practice."))
    form = PracticeForm(request.POST or None, initial=PracticeForm.initial_of(found))
    context: dict[str, object] = {
        "form": form,
        "headings": HEADINGS,
        "draft": rights.may_submit(found, member, now=timezone.now()),
        "practice": found,
        "anew": member.pk == found.author_id and found.submitted is not None,
    }
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = _preview(request)
    elif request.method == "POST" and form.is_valid():
        limits.use("edit", member=member)
        writing.edit(found, form.wanted(), editor=member, reason=form.cleaned_data["reason"])
        if "submit" in request.POST and rights.may_submit(found, member, now=timezone.now()):
            writing.submit(found)
        return redirect(found)
    return render(request, "practices/write.html", context)


@require_POST
@for_members
def submit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Put a draft up for review."""
    found = find_practice(number, member)
    if not rights.may_submit(found, member, now=timezone.now()):
        raise PermissionDenied(_("Only its author puts a draft up for review."))
    writing.submit(found)
    return redirect(found)


@require_GET
def history(request: HttpRequest, number: int) -> HttpResponse:
    """Show the versions of a practice and what changed with each."""
    found = find_practice(number, visitor(request))
    context = {"practice": found, "history": texts.history(kinds.PRACTICE, found.pk)}
    return render(request, "practices/history.html", context)

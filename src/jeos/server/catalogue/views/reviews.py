"""Reviews: written and changed by their authors, each with an address of its own."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.catalogue import reviewing, rights
from jeos.server.catalogue.forms import ReviewForm
from jeos.server.catalogue.models import Review, Verdict, Version
from jeos.server.catalogue.views.access import find_appliance
from jeos.server.catalogue.views.appliances import verdicts
from jeos.server.content import kinds, limits, notifications, texts

CHOICES = 50  # versions that one may choose from


@require_GET
def review(request: HttpRequest, number: int) -> HttpResponse:
    """Show one review; what was told about it counts as seen."""
    member = visitor(request)
    found = _find(number, member)
    if member is not None:
        notifications.see(member, about=(kinds.REVIEW, number))
    return render(request, "catalogue/review.html", {"member": member, "review": found, "appliance": found.appliance})


@require_GET
def history(request: HttpRequest, number: int) -> HttpResponse:
    """Show the versions of a review and what changed with each."""
    found = _find(number, visitor(request))
    context = {"review": found, "appliance": found.appliance, "history": texts.history(kinds.REVIEW, number)}
    return render(request, "catalogue/review_history.html", context)


def _find(number: int, member: Member | None) -> Review:
    """Return a review that somebody may read. Raises Http404."""
    rows = Review.objects.select_related("appliance__publisher", "author")
    found = get_object_or_404(rows, pk=number)
    if not rights.may_see(found.appliance, member) or not rights.may_see_review(found, member):
        raise Http404
    return found


@for_members
def write(request: HttpRequest, member: Member, publisher: str, name: str) -> HttpResponse:
    """Write a review, or change one's own."""
    found = find_appliance(publisher, name, member)
    if not rights.may_review(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot review this appliance."))
    mine = Review.objects.filter(appliance=found, author=member).first()
    initial = {"runs": mine.runs, "verdict": mine.verdict, "source": mine.source} if mine else {"runs": found.newest}
    form = ReviewForm(request.POST or None, initial=initial)
    known = list(
        Version.objects.filter(appliance=found).order_by("-date", "-id").values_list("version", flat=True)[:CHOICES]
    )
    context: dict[str, object] = {
        "appliance": found,
        "form": form,
        "mine": mine,
        "versions": known,
        "verdicts": verdicts(),
    }
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        limits.use("review", member=member)
        wanted = form.cleaned_data
        try:
            reviewing.review(
                found,
                author=member,
                runs=wanted["runs"],
                verdict=Verdict(wanted["verdict"]),
                source=wanted["source"],
            )
        except ValueError:
            form.add_error("runs", _("There is no such version."))
        else:
            return redirect(f"{found.get_absolute_url()}#reviews")
    return render(request, "catalogue/review_write.html", context)

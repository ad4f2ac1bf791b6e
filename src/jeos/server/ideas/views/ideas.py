"""An idea: its page, its votes, writing and changing it, its history."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import comments, following, kinds, limits, notifications, texts, trust
from jeos.server.ideas import rights, suggesting, voting
from jeos.server.ideas.forms import EditForm, IdeaForm
from jeos.server.ideas.views.access import find_idea, find_own
from jeos.server.ideas.views.lists import beside

NEW_IDEA = "ideas.new"  # where drafts of new ideas are kept


@require_GET
def idea(request: HttpRequest, number: int, slug: str = "") -> HttpResponse:
    """Show an idea with its answer and comments."""
    member, now = visitor(request), timezone.now()
    found = find_idea(number, member)
    if found.merged_into is not None:
        return redirect(found.merged_into, permanent=True)
    if slug != found.slug:
        return redirect(found, permanent=True)
    context = {
        "idea": found,
        "own": voting.own(member, [found.pk]),
        "may_vote": rights.may_vote(found, member, now=now),
        "may_edit": rights.may_edit(found, member, now=now),
        "level": following.level(member, kinds.IDEA, found.pk) if member else 0,
        "talk": comments.talk(kinds.IDEA, found.pk, member, after=request.GET.get("comments"), now=now),
        "talk_url": found.get_absolute_url(),
        **beside(member),
    }
    return render(request, "ideas/idea.html", context)


@require_POST
@for_members
def vote(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Vote for an idea, or take the vote back; what was told about it counts as seen."""
    found = find_own(number, member)
    if not rights.may_vote(found, member, now=timezone.now()):
        raise PermissionDenied(_("This idea takes no votes from you."))
    limits.use("vote", member=member)
    problem = ""
    try:
        voting.vote(found, member, wanted=request.POST.get("want") == "1")
    except voting.NoVotesLeft:
        problem = _("You have spent all your votes. Take one back, or wait until an idea that you want is closed.")
    notifications.see(member, about=(kinds.IDEA, found.pk))
    if request.headers.get("HX-Request"):
        context = {"idea": found, "own": voting.own(member, [found.pk]), "may_vote": True, "problem": problem}
        return render(request, "ideas/voted.html", context | {"member": member, "left": voting.left(member)})
    if problem:
        messages.warning(request, problem)
    return redirect(found)


@for_members
def write(request: HttpRequest, member: Member) -> HttpResponse:
    """Write a new idea; those that are like it are shown before it is posted."""
    trust.check_may_write(member, now=timezone.now())
    draft = texts.draft(member, NEW_IDEA)
    initial = {
        "title": (draft.title if draft else "") or request.GET.get("title", ""),
        "source": draft.source if draft else "",
        "tags": request.GET.get("tags", ""),
    }
    form = IdeaForm(request.POST or None, initial=initial)
    context: dict[str, object] = {"form": form, "place": NEW_IDEA, "draft": draft, "similar": None}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        found = [] if wanted["seen"] else suggesting.similar(wanted["title"])
        if not found:
            limits.use("idea", member=member)
            made = suggesting.post(
                author=member, title=wanted["title"], source=wanted["source"], tag_names=wanted["tags"]
            )
            texts.save_draft(member, NEW_IDEA, source="")
            return redirect(made)
        context["similar"] = found
    return render(request, "ideas/write.html", context)


@require_GET
@for_members
def similar(request: HttpRequest, member: Member) -> HttpResponse:
    """Return the ideas that are like a title, as a part of a page."""
    limits.use("search", member=member)
    title = request.GET.get("title", "")[:200]
    return render(request, "ideas/similar.html", {"similar": suggesting.similar(title), "asked": False})


@for_members
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change an idea."""
    found = find_own(number, member)
    if not rights.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this idea."))
    initial = {"title": found.title, "source": found.source, "tags": found.tags}
    form = EditForm(request.POST or None, initial=initial)
    context: dict[str, object] = {"idea": found, "form": form}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        limits.use("edit", member=member)
        wanted = form.cleaned_data
        suggesting.edit(
            found,
            editor=member,
            title=wanted["title"],
            source=wanted["source"],
            tag_names=wanted["tags"],
            reason=wanted["reason"],
        )
        return redirect(found)
    return render(request, "ideas/edit.html", context)


@require_GET
def history(request: HttpRequest, number: int) -> HttpResponse:
    """Show the versions of an idea and what changed with each."""
    found = find_own(number, visitor(request))
    return render(request, "ideas/history.html", {"idea": found, "history": texts.history(kinds.IDEA, found.pk)})

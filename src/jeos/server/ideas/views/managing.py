"""What the team does with an idea, on two pages of plain forms."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_moderators
from jeos.server.content import texts
from jeos.server.ideas import answering, suggesting
from jeos.server.ideas.forms import AnswerForm, MergeForm
from jeos.server.ideas.models import Status
from jeos.server.ideas.views.access import find_own


@for_moderators
def answer(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Say how an idea stands and why."""
    idea = find_own(number, member)
    form = AnswerForm(request.POST or None, initial={"status": idea.status, "source": idea.answer})
    context: dict[str, object] = {"idea": idea, "form": form, "statuses": Status.choices}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        status = Status(form.cleaned_data["status"])
        answering.answer(idea, status=status, source=form.cleaned_data["source"], actor=member)
        messages.success(request, _("Answered; those who want it are told."))
        return redirect(idea)
    return render(request, "ideas/answer.html", context)


@for_moderators
def merge(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Let an idea become part of another."""
    idea = find_own(number, member)
    form = MergeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        target = form.cleaned_data["target"]
        try:
            if target is None:
                raise ValueError("there is no such idea")
            answering.merge(idea, target, actor=member)
        except ValueError:
            form.add_error("target", _("It cannot be merged into that one."))
        else:
            messages.success(request, _("Merged; votes, comments and followers went along."))
            return redirect(target)
    like = [one for one in suggesting.similar(idea.title) if one.pk != idea.pk]
    return render(request, "ideas/merge.html", {"idea": idea, "form": form, "similar": like})

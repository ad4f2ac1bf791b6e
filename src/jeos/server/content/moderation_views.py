"""Pages of moderators: the queue, decisions and their undoing, the log, and what they do to tags."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_moderators
from jeos.server.content import audit, kinds, moderation, paging, tags
from jeos.server.content.forms import DECISIONS, DecisionForm, TagForm
from jeos.server.content.models import AuditEntry, Case, Outcome, Tag

LIST = 50
DECIDED = 20


@require_GET
@for_moderators
def queue(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what waits for a decision, and what was decided last."""
    waiting = [(case, _body(case)) for case in moderation.queue()]
    decided = Case.objects.exclude(outcome=Outcome.OPEN).select_related("author", "decided_by").order_by("-decided")
    context = {
        "waiting": waiting,
        "decided": [(case, _body(case)) for case in decided[:DECIDED]],
        "outcomes": DECISIONS,
    }
    return render(request, "content/queue.html", context)


def _body(case: Case) -> kinds.Body | None:
    known = kinds.find(case.kind)
    return known.body(case.number) if known else None


@require_POST
@for_moderators
def decide(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Close a case."""
    case = get_object_or_404(Case, pk=number)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        raise BadRequest("no such decision")
    try:
        moderation.decide(case, Outcome(form.cleaned_data["outcome"]), moderator=member, note=form.cleaned_data["note"])
    except ValueError:
        messages.warning(request, _("Somebody else decided this meanwhile."))
    return redirect("content:queue")


@require_POST
@for_moderators
def undo(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Take a decision back."""
    case = get_object_or_404(Case, pk=number)
    try:
        moderation.undo(case, moderator=member)
    except ValueError:
        messages.warning(request, _("There is nothing to take back."))
    return redirect("content:queue")


@require_GET
@for_moderators
def log(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what moderators and administrators did."""
    rows = AuditEntry.objects.select_related("actor", "subject")
    page = paging.newest(rows, keys={"date": datetime, "id": int}, after=request.GET.get("after"), size=LIST)
    return render(request, "content/log.html", {"rows": page.rows, "after": page.after})


@for_moderators
def edit_tag(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Describe a tag, rename it, put it under a wider one, or let it become a synonym."""
    tag = get_object_or_404(Tag, name=name, synonym_of=None)
    initial = {"name": tag.name, "description": tag.description, "wider": tag.wider.name if tag.wider else ""}
    form = TagForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        problem = _change_tag(tag, form.cleaned_data, actor=member)
        if not problem:
            tag.refresh_from_db()
            return redirect(tag.synonym_of or tag)
        form.add_error(None, problem)
    return render(request, "content/tag_edit.html", {"tag": tag, "form": form})


def _change_tag(tag: Tag, wanted: dict[str, str], *, actor: Member) -> str:
    """Do what the form asks for, and return what is wrong with it."""
    if wanted["merge_into"]:
        target = Tag.objects.filter(name=tags.normal(wanted["merge_into"]), synonym_of=None).exclude(pk=tag.pk).first()
        if target is None:
            return _("There is no such tag to merge into.")
        tags.merge(tag, target, actor=actor)
        return ""
    wider = None
    if wanted["wider"]:
        wider = Tag.objects.filter(name=tags.normal(wanted["wider"]), synonym_of=None).first()
        if wider is None or tags.would_loop(tag, wider):
            return _("There is no such wider tag, or it is a part of this one.")
    if tags.normal(wanted["name"]) != tag.name:
        try:
            tags.rename(tag, wanted["name"], actor=actor)
        except ValueError:
            return _("There is a tag of that name already.")
    Tag.objects.filter(pk=tag.pk).update(description=wanted["description"], wider=wider)
    audit.record(actor, "tag.edit", details={"tag": tag.name, "wider": wider.name if wider else ""})
    return ""

"""Pages of comments: writing one, where it stands, changing it, its history."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import comments, kinds, limits, texts, trust
from jeos.server.content.forms import CommentEditForm, CommentForm
from jeos.server.content.models import Comment


def _about(kind: int, number: int, member: Member | None) -> kinds.Card:
    """Return the card of something that takes comments. Raises Http404."""
    known = kinds.find(kind)
    card = next(iter(kinds.cards([(kind, number)], member=member)), None)
    if known is None or known.count_comments is None or card is None:
        raise Http404
    return card


def _find(number: int, member: Member | None) -> tuple[Comment, kinds.Card]:
    """Return a comment and the card of what it is about. Raises Http404."""
    comment = get_object_or_404(Comment.objects.select_related("author"), pk=number)
    card = _about(comment.kind, comment.number, member)
    if not comments.may_see(comment, member):
        raise Http404
    return comment, card


@for_members
def write(request: HttpRequest, member: Member, kind: int, number: int) -> HttpResponse:
    """Comment on something."""
    card = _about(kind, number, member)
    trust.check_may_write(member, now=timezone.now())
    place = comments.draft_place(kind, number)
    draft = texts.draft(member, place)
    form = CommentForm(request.POST or None, initial={"source": draft.source if draft else ""})
    context = {"card": card, "form": form, "place": place, "draft": draft}
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        limits.use("post", member=member)
        made = comments.write(kind, number, author=member, source=form.cleaned_data["source"])
        texts.save_draft(member, place, source="")
        return redirect(comments.place(made, card.url))
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    return render(request, "content/comment_write.html", context)


@require_GET
def comment(request: HttpRequest, number: int) -> HttpResponse:
    """Lead from a comment's lasting address to where it stands."""
    found, card = _find(number, visitor(request))
    return redirect(comments.place(found, card.url))


@for_members
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change a comment."""
    found, card = _find(number, member)
    if not comments.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this comment."))
    form = CommentEditForm(request.POST or None, initial={"source": found.source})
    context = {"card": card, "comment": found, "form": form}
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        limits.use("edit", member=member)
        comments.edit(found, editor=member, source=form.cleaned_data["source"], reason=form.cleaned_data["reason"])
        return redirect(comments.place(found, card.url))
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    return render(request, "content/comment_edit.html", context)


@require_GET
def history(request: HttpRequest, number: int) -> HttpResponse:
    """Show the versions of a comment and what changed with each."""
    found, card = _find(number, visitor(request))
    context = {"card": card, "comment": found, "history": texts.history(kinds.COMMENT, found.pk)}
    return render(request, "content/comment_history.html", context)

"""What is done to whole pages: moved, protected, hidden; and how open the wiki is."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators, for_members, for_moderators
from jeos.server.content import limits
from jeos.server.wiki import managing, rights, rules
from jeos.server.wiki.forms import MoveForm, ProtectForm, RulesForm
from jeos.server.wiki.models import Page, Redirect
from jeos.server.wiki.views.access import elsewhere, find, frame


@for_members
def manage(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Show what can be done to a page, and do it."""
    page = find(name, member)
    if request.method == "GET" and (other := elsewhere(request, name, page)) is not None:
        return other
    may_move = rights.may_move(page, member, rules.current(), now=timezone.now())
    may_protect = rights.may_protect(page, member)
    if not may_move and not may_protect:
        raise PermissionDenied(_("You cannot move this page."))
    move = MoveForm(request.POST if request.POST.get("action") == "move" else None, initial={"title": page.title})
    protect = ProtectForm(
        request.POST if request.POST.get("action") == "protect" else None,
        initial={"level": page.protection},
        member=member,
    )
    if request.method == "POST" and _act(request, page, member, move, protect, may_move, may_protect):
        return redirect(page)
    context = {
        "move": move,
        "protect": protect,
        "may_move": may_move,
        "may_protect": may_protect,
        "names": list(page.redirects.order_by("name")),
    }
    return render(request, "wiki/manage.html", {**frame(page, member, show="manage"), **context})


def _act(
    request: HttpRequest,
    page: Page,
    member: Member,
    move: MoveForm,
    protect: ProtectForm,
    may_move: bool,
    may_protect: bool,
) -> bool:
    """Do what a button asks for, and tell whether it was done. Raises PermissionDenied for what is not theirs."""
    action = request.POST.get("action", "")
    if not (may_move if action == "move" else may_protect):
        raise PermissionDenied(_("You cannot do that to this page."))
    if action == "move" and move.is_valid():
        limits.use("edit", member=member)
        try:
            managing.move(page, move.cleaned_data["title"], actor=member, reason=move.cleaned_data["reason"])
        except ValueError as error:
            move.add_error("title", str(error))
            return False
    elif action == "protect" and protect.is_valid():
        managing.protect(page, protect.cleaned_data["level"], actor=member, reason=protect.cleaned_data["reason"])
    elif action in ("hide", "show"):
        managing.hide(page, action == "hide", actor=member)
    elif action == "free":
        redirect_ = get_object_or_404(Redirect, page=page, name=request.POST.get("name", ""))
        managing.remove_redirect(redirect_, actor=member)
    else:
        return False
    messages.success(request, _("Done."))
    return True


@require_POST
@for_moderators
def hide_version(request: HttpRequest, member: Member, name: str, version: int) -> HttpResponse:
    """Hide the text of an earlier version, or show it again."""
    page = find(name, member)
    try:
        managing.hide_version(page, version, request.POST.get("hidden") == "1", actor=member)
    except ValueError as error:
        messages.warning(request, str(error))
    return redirect("wiki:history", page.name)


@for_administrators
def rules_page(request: HttpRequest, member: Member) -> HttpResponse:
    """Show how open the wiki is, and change it."""
    now = rules.current()
    initial = {"edit": now.edit, "create": now.create, "move": now.move}
    form = RulesForm(request.POST or None, initial=initial, member=member)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        rules.change(edit=wanted["edit"], create=wanted["create"], move=wanted["move"], actor=member)
        messages.success(request, _("Done."))
        return redirect("wiki:start")
    return render(request, "wiki/rules.html", {"form": form})

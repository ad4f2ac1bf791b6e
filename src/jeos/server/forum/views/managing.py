"""What moderators do to a thread, on one page of plain forms."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_moderators
from jeos.server.forum import categories, moderating
from jeos.server.forum.forms import ManageForm
from jeos.server.forum.models import Category, Thread
from jeos.server.forum.views.access import find_thread


@for_moderators
def manage(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Show what can be done to a thread, and do it."""
    thread, category = find_thread(number, member)
    form = ManageForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            target = act(request.POST.get("action", ""), thread, form.cleaned_data, actor=member)
        except ValueError as error:
            messages.warning(request, str(error))
            return redirect("forum:manage", thread.pk)
        messages.success(request, _("Done, and written into the log."))
        return redirect(target)
    context = {"thread": thread, "category": category, "categories": categories.every(), "form": form}
    return render(request, "forum/manage.html", context)


def act(action: str, thread: Thread, wanted: dict[str, object], *, actor: Member) -> Thread:
    """Do what a button asks for, and return the thread to look at then. Raises ValueError for what cannot be."""
    match action, wanted:
        case (("close" | "open"), _wanted):
            moderating.switch(thread, "closed", action == "close", actor=actor)
        case (("pin" | "unpin"), _wanted):
            moderating.switch(thread, "pinned", action == "pin", actor=actor)
        case "slow", {"seconds": int(seconds)}:
            moderating.slow(thread, seconds, actor=actor)
        case "move", {"category": Category() as category}:
            moderating.move(thread, category, actor=actor)
        case "split", {"numbers": list(numbers), "title": str(title)} if title:
            return moderating.split(thread, numbers, title=title, actor=actor)
        case "merge", {"target": Thread() as target}:
            moderating.merge(thread, target, actor=actor)
            return target
        case (("hide" | "show"), _wanted):
            moderating.hide_thread(thread, action == "hide", actor=actor)
        case _:
            raise ValueError(_("Something is missing for that."))
    return thread

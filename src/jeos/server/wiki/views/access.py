"""Finding the page that an address names, if who asks may see it, and what a page's frame shows."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import markdown
from jeos.server.wiki import rights, rules
from jeos.server.wiki.models import Page, Redirect


def find(name: str, member: Member | None) -> Page:
    """Return the page with this name, now or before. Raises Http404."""
    found = look(name, member)
    if found is None:
        raise Http404
    return found


def look(name: str, member: Member | None) -> Page | None:
    """Return the page with this name, now or before, or None if there is none. Raises Http404 for a hidden one."""
    pages = Page.objects.select_related("author", "editor")
    found = pages.filter(name=name).first()
    if found is None:
        before = Redirect.objects.filter(name=name).values("page")
        found = pages.filter(pk__in=before).first()
    if found is not None and not rights.may_see(found, member):
        raise Http404
    return found


def elsewhere(request: HttpRequest, name: str, found: Page | None) -> HttpResponseRedirect | None:
    """Return where an address leads that is not the page's own: another spelling, or a name that it had before."""
    wanted = found.name if found is not None else markdown.page_name(name)
    if not wanted or wanted == name:
        return None
    rest = request.path.rstrip("/").rpartition("/")[2]
    return redirect(markdown.page_url(wanted) + (f"{rest}/" if rest in ("edit", "history", "links", "manage") else ""))


def frame(page: Page, member: Member | None, *, show: str) -> Mapping[str, object]:
    """Return what the head of each page about a page shows: its title, its tabs, what the reader may do."""
    now, current = timezone.now(), rules.current()
    return {
        "page": page,
        "member": member,
        "show": show,
        "may_edit": rights.may_edit(page, member, current, now=now),
        "may_manage": rights.may_move(page, member, current, now=now) or rights.may_protect(page, member),
    }

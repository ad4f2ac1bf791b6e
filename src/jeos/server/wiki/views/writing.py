"""Writing pages: new ones, changes, conflicts with what others wrote meanwhile, going back."""

from __future__ import annotations

from urllib.parse import quote

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.content import limits, lines, markdown, texts
from jeos.server.content.models import Draft
from jeos.server.wiki import rights, rules, writing
from jeos.server.wiki.forms import EditForm, NewForm, TitleForm
from jeos.server.wiki.models import Page
from jeos.server.wiki.views.access import elsewhere, find, frame, look
from jeos.server.wiki.views.history import find_version
from jeos.server.wiki.writing import Conflict, Saved


def edit_place(page: Page) -> str:
    """Return the name of the place where drafts of changes of a page are kept."""
    return f"wiki.edit.{page.pk}"


def new_place(name: str) -> str:
    """Return the name of the place where drafts of a new page are kept."""
    return f"wiki.new.{name[:70]}"


@for_members
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """Ask for the title of a new page, and lead to where it is written."""
    if not rights.may_create(member, rules.current(), now=timezone.now()):
        raise PermissionDenied(_("You cannot write new pages."))
    form = TitleForm(request.POST or None, initial={"title": request.GET.get("title", "")})
    if request.method == "POST" and form.is_valid():
        title = form.cleaned_data["title"]
        found = look(markdown.page_name(title), member)
        if found is not None:
            return redirect(found)
        return redirect(f"{markdown.page_url(markdown.page_name(title))}edit/?title={quote(title)}")
    return render(request, "wiki/new.html", {"form": form})


@for_members
def edit(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Change a page, or write it."""
    found = look(name, member)
    if request.method == "GET" and (other := elsewhere(request, name, found)) is not None:
        return other
    if found is None:
        return _write(request, member, name)
    if not rights.may_edit(found, member, rules.current(), now=timezone.now()):
        context = {**frame(found, member, show="edit"), "rules": rules.current()}
        return render(request, "wiki/protected.html", context, status=403)
    if request.method != "POST":
        draft = texts.draft(member, edit_place(found))
        return _editor(request, found, member, EditForm(initial=_initial(request, found, member, draft)), draft=draft)
    return _change(request, found, member)


def _change(request: HttpRequest, page: Page, member: Member) -> HttpResponse:
    """Save a change of a page, or show the editor again with what stands in its way."""
    form = EditForm(request.POST)
    if "preview" in request.POST:
        html = texts.render(request.POST.get("source", ""))[0].html
        return _editor(request, page, member, form, preview=html)
    if not form.is_valid():
        return _editor(request, page, member, form)
    limits.use("edit", member=member)
    wanted = form.cleaned_data
    try:
        done = writing.edit(
            page.pk,
            editor=member,
            base=wanted["base"],
            source=wanted["source"],
            reason=wanted["reason"],
            tags_then=wanted["tags_then"],
            tags_now=wanted["tags"],
        )
    except writing.TooManyLinks:
        form.add_error("source", _("New members may add two links to a page. Leave some out, or ask somebody to help."))
        return _editor(request, page, member, form)
    if isinstance(done, Conflict):
        return _show_conflict(request, done, member, wanted)
    texts.save_draft(member, edit_place(page), source="")
    if done.merged:
        messages.success(request, _("Others changed the page meanwhile; your change was merged with theirs."))
    return redirect(page)


def _show_conflict(request: HttpRequest, done: Conflict, member: Member, wanted: dict[str, object]) -> HttpResponse:
    """Show both texts where they disagree; saved next, it begins from what the page is now. Nothing is lost."""
    page = done.page
    mine = str(wanted["source"])
    texts.save_draft(member, edit_place(page), source=done.merged.text, title=str(page.version))
    initial = {
        "source": done.merged.text,
        "tags": " ".join(wanted["tags"]),  # type: ignore[arg-type] # the form's own list
        "tags_then": page.tags,
        "reason": wanted["reason"],
        "base": page.version,
    }
    conflict = {"mine": mine, "pairs": lines.near(lines.compare(page.source, mine)), "places": done.merged.conflicts}
    return _editor(request, page, member, EditForm(initial=initial), conflict=conflict, status=409)


def _initial(request: HttpRequest, page: Page, member: Member, draft: Draft | None) -> dict[str, object]:
    """Return what the editor begins with: the page, an earlier version, the page without one, or the draft."""
    initial: dict[str, object] = {
        "source": page.source,
        "tags": page.tags,
        "tags_then": page.tags,
        "reason": "",
        "base": page.version,
    }
    for field, reason, source in (
        ("version", _("back to version {n}"), writing.source_of),
        ("undo", _("without version {n}"), lambda page, version: writing.without(page, version).text),
    ):
        said = request.GET.get(field, "")
        if said.isascii() and said.isdecimal() and len(said) < 9:
            find_version(page, int(said), member)
            if field == "undo" and int(said) > 1:
                find_version(page, int(said) - 1, member)
            return initial | {"source": source(page, int(said)), "reason": reason.format(n=said)}
    if draft is not None and draft.source:
        # The draft's title keeps the version that it began from: what others wrote since is merged, not undone.
        base = int(draft.title) if draft.title.isdecimal() and len(draft.title) < 9 else page.version
        return initial | {"source": draft.source, "base": min(base, page.version)}
    return initial


def _editor(
    request: HttpRequest,
    page: Page,
    member: Member,
    form: EditForm,
    *,
    draft: Draft | None = None,
    preview: str = "",
    conflict: dict[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    base = str(form["base"].value() or "")
    context = {
        "form": form,
        "place": edit_place(page),
        "draft": draft if draft and draft.source == form["source"].value() else None,
        "preview": preview,
        "conflict": conflict,
        "behind": base.isdecimal() and int(base) < page.version,
    }
    return render(request, "wiki/edit.html", {**frame(page, member, show="edit"), **context}, status=status)


def _write(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Write a page that does not exist yet."""
    if not markdown.page_name(name):
        raise Http404
    if not rights.may_create(member, rules.current(), now=timezone.now()):
        raise PermissionDenied(_("You cannot write new pages."))
    place = new_place(name)
    draft = texts.draft(member, place)
    title = request.GET.get("title", "") or name.replace("-", " ").capitalize()
    initial = {
        "title": draft.title if draft and draft.title else title,
        "source": draft.source if draft else "",
        "base": 0,
    }
    form = NewForm(request.POST or None, initial=initial)
    context: dict[str, object] = {"form": form, "name": name, "place": place, "draft": draft, "preview": ""}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        return _create(request, member, form, place=place)
    return render(request, "wiki/write.html", context)


def _create(request: HttpRequest, member: Member, form: NewForm, *, place: str) -> HttpResponse:
    """Make a page; where somebody was faster, both texts are merged, or shown."""
    wanted = form.cleaned_data
    try:
        there = look(markdown.page_name(wanted["title"]), member)
    except Http404:
        form.add_error("title", _("Moderators have hidden a page with that title."))
        return _again(request, form, markdown.page_name(wanted["title"]), place)
    if there is None:
        limits.use("page", member=member)
        try:
            with transaction.atomic():
                made = writing.create(
                    title=wanted["title"], source=wanted["source"], author=member, tag_names=wanted["tags"]
                )
        except IntegrityError:
            there = find(markdown.page_name(wanted["title"]), member)
        else:
            texts.save_draft(member, place, source="")
            return redirect(made)
    if not rights.may_edit(there, member, rules.current(), now=timezone.now()):
        form.add_error("title", _("There is a page with that title already."))
        return _again(request, form, there.name, place)
    return _change(request, there, member)


def _again(request: HttpRequest, form: NewForm, name: str, place: str) -> HttpResponse:
    """Show the editor of a new page again, with what stands in its way."""
    context = {"form": form, "name": name, "place": place, "draft": None, "preview": ""}
    return render(request, "wiki/write.html", context)


@require_POST
@for_members
def revert(request: HttpRequest, member: Member, name: str, version: int) -> HttpResponse:
    """Let a page be what it was in an earlier version."""
    page = find(name, member)
    if not rights.may_edit(page, member, rules.current(), now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this page."))
    find_version(page, version, member)
    said = request.POST.get("base", "")
    if not (said.isascii() and said.isdecimal() and len(said) < 9):
        raise BadRequest("base is the version that the page had")
    limits.use("edit", member=member)
    try:
        done = writing.revert(page, version, editor=member, base=int(said))
    except writing.TooManyLinks as error:
        raise PermissionDenied(_("New members may add two links to a page.")) from error
    if not isinstance(done, Saved):
        messages.warning(request, _("Somebody changed the page meanwhile. Look at it again."))
        return redirect("wiki:history", page.name)
    return redirect(page)

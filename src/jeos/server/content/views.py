"""Pages and small moves that span all sections: tags, search, notifications, bookmarks, following, flags."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import (
    following,
    kinds,
    limits,
    markdown,
    moderation,
    notifications,
    paging,
    search,
    tags,
    texts,
    trust,
)
from jeos.server.content.areas import closed_areas
from jeos.server.content.forms import FlagForm
from jeos.server.content.models import Bookmark, FlagReason, Tag

LIST = 30
FOUND = 60  # hits that a search shows; who finds nothing among them adds a word
HOLDERS = {
    "tag": following.TAG,
    "category": following.CATEGORY,
    "blog": following.BLOG,
}  # followed besides content itself


def back(request: HttpRequest, default: str = "/") -> HttpResponseRedirect:
    """Return to where a form was sent from, if that is on this site."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if safe else default)


@require_GET
def tag_list(request: HttpRequest) -> HttpResponse:
    """Show the tags, most used first; those that are part of a wider one under it."""
    found = Tag.objects.filter(synonym_of=None, uses__gt=0).order_by("-uses", "name")[:200]
    return render(request, "content/tags.html", {"tags": found})


@require_GET
def tag_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show what has a tag, of all kinds or of one."""
    tag = get_object_or_404(Tag.objects.select_related("synonym_of", "wider"), name=name)
    if tag.synonym_of is not None:
        return redirect(tag.synonym_of)
    member = visitor(request)
    kind = kinds.named(request.GET.get("kind", ""))
    page = tags.page(tag, after=request.GET.get("after"), size=LIST, kind=kind.code if kind else None)
    context = {
        "tag": tag,
        "narrower": list(tag.narrower.filter(synonym_of=None).order_by("name")),
        "synonyms": list(tag.synonyms.order_by("name").values_list("name", flat=True)),
        "cards": kinds.cards([(row.kind, row.number) for row in page.rows], member=member),
        "after": page.after,
        "kind": kind,
        "level": following.level(member, following.TAG, tag.pk) if member else 0,
    }
    return render(request, "content/tag.html", context)


@require_GET
def tag_suggestions(request: HttpRequest) -> HttpResponse:
    """Return the tags that the last word of a field may become, as a part of a page."""
    words = request.GET.get("tags", "").split(",")[-1].split()
    found = tags.suggest(words[-1]) if words else []
    return render(request, "content/tag_suggestions.html", {"tags": found})


@require_GET
def search_page(request: HttpRequest) -> HttpResponse:
    """Show what a search finds."""
    text = request.GET.get("q", "").strip()[:300]
    query = search.parse(text)
    member = visitor(request)
    hits: list[search.Hit] = []
    if not query.empty:
        limits.use("search", member=member, address=request.META.get("REMOTE_ADDR", ""))
        hits = search.index().find(query, limit=FOUND, hidden_areas=closed_areas(member))
    by_key = {(hit.kind, hit.number): hit for hit in hits}
    cards = kinds.cards(by_key, member=member)
    found = [(card, by_key[card.kind, card.number].excerpt) for card in cards]
    context = {"text": text, "query": query, "found": found, "full": len(hits) == FOUND, "kinds": kinds.all_kinds()}
    response = render(request, "content/search.html", context)
    response["Cache-Control"] = "private"  # counted against a limit, and so not to be shared
    return response


@require_GET
@for_members
def notification_page(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what a member was told."""
    page = notifications.page(member, after=request.GET.get("after"), size=LIST)
    return render(request, "content/notifications.html", {"rows": page.rows, "after": page.after})


@require_POST
@for_members
def see_notifications(request: HttpRequest, member: Member) -> HttpResponse:
    """Let all notifications count as seen."""
    notifications.see(member)
    return redirect("content:notifications")


@require_GET
@for_members
def bookmarks(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what a member keeps."""
    rows = Bookmark.objects.filter(member=member)
    page = paging.newest(rows, keys={"date": datetime, "id": int}, after=request.GET.get("after"), size=LIST)
    cards = kinds.cards([(row.kind, row.number) for row in page.rows], member=member)
    return render(request, "content/bookmarks.html", {"cards": cards, "after": page.after})


def _readable(kind: int, number: int, member: Member) -> kinds.Card:
    """Return the card of something that a member may read. Raises Http404."""
    card = next(iter(kinds.cards([(kind, number)], member=member)), None)
    if card is None:
        raise Http404
    return card


@require_POST
@for_members
def bookmark(request: HttpRequest, member: Member, kind: int, number: int) -> HttpResponse:
    """Keep something, or no longer."""
    card = _readable(kind, number, member)
    kept = following.bookmark(member, kind, number)
    if request.headers.get("HX-Request"):
        return render(
            request, "content/bookmark.html", {"kind": kind, "number": number, "kept": kept, "next": card.url}
        )
    return back(request, card.url)


@require_POST
@for_members
def follow(request: HttpRequest, member: Member, what: str, number: int) -> HttpResponse:
    """Follow something, mute it, or neither."""
    named = kinds.named(what)
    kind = named.code if named else HOLDERS.get(what)
    if kind is None:
        raise Http404
    try:
        level = int(request.POST.get("level", ""))
    except ValueError as error:
        raise BadRequest("level is -1, 0 or 1") from error
    if kind > 0:
        _readable(kind, number, member)
    following.set_level(member, kind, number, level)
    now = following.level(member, kind, number)
    if request.headers.get("HX-Request"):
        context = {"what": what, "number": number, "level": now, "next": request.POST.get("next", "/")}
        return render(request, "content/follow.html", context)
    return back(request)


@for_members
def flag(request: HttpRequest, member: Member, kind: int, number: int) -> HttpResponse:
    """Ask why something should be looked at, and put it into the moderators' queue."""
    card = _readable(kind, number, member)
    form = FlagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        limits.use("flag", member=member)
        reason = FlagReason(form.cleaned_data["reason"])
        moderation.flag(kind, number, member=member, reason=reason, note=form.cleaned_data["note"])
        return render(request, "content/flagged.html", {"card": card})
    return render(request, "content/flag.html", {"card": card, "form": form})


@require_POST
@for_members
def preview(request: HttpRequest, member: Member) -> HttpResponse:
    """Return a text as it will look, as a part of a page."""
    trust.check_may_write(member, now=timezone.now())
    rendered, _mentioned = texts.render(request.POST.get("source", ""))
    return render(request, "content/preview.html", {"html": rendered.html})


@require_POST
@for_members
def save_draft(request: HttpRequest, member: Member) -> HttpResponse:
    """Keep what a member has begun to write."""
    limits.use("draft", member=member)
    place = request.POST.get("place", "")
    if not place or len(place) > 80:
        raise BadRequest("a draft has a place")
    source, title = request.POST.get("source", "")[: markdown.LENGTH], request.POST.get("title", "")[:200]
    texts.save_draft(member, place, source=source, title=title)
    return render(request, "content/draft_saved.html", {"empty": not (source.strip() or title.strip())})


def language(request: HttpRequest) -> HttpResponse:
    """Choose the language of the site: kept with the member, or in a cookie."""
    from django.conf import settings

    if request.method != "POST":
        return render(request, "content/language.html", {"next": request.GET.get("next", "/")})
    chosen = request.POST.get("language", "")
    if chosen not in dict(settings.LANGUAGES):
        raise BadRequest(_("There is no such language."))
    member = visitor(request)
    if member is not None:
        member.language = chosen
        member.save(update_fields=["language"])
    response = back(request)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        chosen,
        max_age=31_536_000,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response

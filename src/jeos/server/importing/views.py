"""Where old addresses lead, for good (301). What did not come along is not here."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import visitor
from jeos.server.content import attachments, tags
from jeos.server.content.models import Attachment
from jeos.server.forum.models import Category, thread_url
from jeos.server.forum.views.access import find_category, find_post, find_thread
from jeos.server.importing.models import Kind, Old
from jeos.server.importing.sources import uploads

DISCOURSE, PHPBB = "discourse", "phpbb"


def _new(source: str, kind: Kind, number: int) -> int:
    """Return what an old number has become. Raises Http404."""
    return get_object_or_404(Old, source=source, kind=kind, number=number).new


def _to_thread(request: HttpRequest, source: str, number: int) -> HttpResponsePermanentRedirect:
    """Lead to a thread that the visitor may read; of others not even the title is said."""
    thread, _category = find_thread(_new(source, Kind.TOPIC, number), visitor(request))
    return HttpResponsePermanentRedirect(thread.get_absolute_url())


def _to_post(request: HttpRequest, number: int) -> HttpResponsePermanentRedirect:
    """Lead to a post where it is now."""
    found, thread, _category = find_post(number, visitor(request))
    return HttpResponsePermanentRedirect(thread_url(thread.pk, thread.slug, number=found.number))


def discourse_topic(request: HttpRequest, number: str, place: str | None = None) -> HttpResponsePermanentRedirect:
    """Lead from `/t/SLUG/NUMBER/PLACE` to the thread, and to the post in it."""
    if place is not None and int(place) > 1:
        rows = Old.objects.filter(source=DISCOURSE, kind=Kind.MESSAGE, topic=int(number), place=int(place))
        found = rows.values_list("new", flat=True).first()
        if found is not None:
            return _to_post(request, found)
    return _to_thread(request, DISCOURSE, int(number))


def discourse_post(request: HttpRequest, number: str) -> HttpResponsePermanentRedirect:
    """Lead from `/p/NUMBER` to the post."""
    return _to_post(request, _new(DISCOURSE, Kind.MESSAGE, int(number)))


def discourse_category(request: HttpRequest, number: str) -> HttpResponsePermanentRedirect:
    """Lead from `/c/SLUG/NUMBER` to the category."""
    return _to_category(request, DISCOURSE, int(number))


def _to_category(request: HttpRequest, source: str, number: int) -> HttpResponsePermanentRedirect:
    category = get_object_or_404(Category, pk=_new(source, Kind.ROOM, number))
    return HttpResponsePermanentRedirect(find_category(category.slug, visitor(request)).get_absolute_url())


def discourse_member(request: HttpRequest, name: str) -> HttpResponsePermanentRedirect:
    """Lead from `/u/NAME` to the member."""
    old = Old.objects.filter(source=DISCOURSE, kind=Kind.PERSON, name=name.lower()).first()
    if old is None:
        raise Http404
    return _to_member(old.new)


def _to_member(number: int) -> HttpResponsePermanentRedirect:
    found = get_object_or_404(Member, pk=number, is_active=True)
    return HttpResponsePermanentRedirect(found.get_absolute_url())


def discourse_tag(request: HttpRequest, name: str) -> HttpResponsePermanentRedirect:
    """Lead from `/tag/NAME` to the tag, if a forum of Discourse came here."""
    wanted = tags.normal(name)
    if not wanted or not Old.objects.filter(source=DISCOURSE).exists():
        raise Http404
    return HttpResponsePermanentRedirect(reverse("content:tag", args=[wanted]))


def _to_file(request: HttpRequest, **wanted: object) -> HttpResponsePermanentRedirect:
    """Lead to a file that the visitor may have; its address is for nobody else. Raises Http404."""
    old = Old.objects.filter(kind=Kind.FILE, **wanted).first()
    found = Attachment.objects.filter(pk=old.new).first() if old else None
    if found is None or not attachments.may_have(found, visitor(request)):
        raise Http404
    return HttpResponsePermanentRedirect(found.url)


def discourse_upload(request: HttpRequest, path: str) -> HttpResponsePermanentRedirect:
    """Lead from `/uploads/…` to the file."""
    sha1 = uploads.sha1_of(f"/{path}")
    if not sha1:
        raise Http404
    return _to_file(request, source=DISCOURSE, name=sha1)


def phpbb_file(request: HttpRequest) -> HttpResponsePermanentRedirect:
    """Lead from `download/file.php?id=NUMBER` to the file."""
    return _to_file(request, source=PHPBB, number=_asked(request, "id") or 0)


def _asked(request: HttpRequest, name: str) -> int | None:
    """Return a number in the query of an address."""
    said = request.GET.get(name, "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 16 else None


def phpbb_topic(request: HttpRequest) -> HttpResponsePermanentRedirect:
    """Lead from `viewtopic.php?t=NUMBER` to the thread, from `?p=NUMBER` to the post."""
    post, topic = _asked(request, "p"), _asked(request, "t")
    if post is not None:
        return _to_post(request, _new(PHPBB, Kind.MESSAGE, post))
    if topic is None:
        raise Http404
    return _to_thread(request, PHPBB, topic)


def phpbb_forum(request: HttpRequest) -> HttpResponsePermanentRedirect:
    """Lead from `viewforum.php?f=NUMBER` to the category."""
    return _to_category(request, PHPBB, _asked(request, "f") or 0)


def phpbb_member(request: HttpRequest) -> HttpResponsePermanentRedirect:
    """Lead from `memberlist.php?mode=viewprofile&u=NUMBER` to the member."""
    return _to_member(_new(PHPBB, Kind.PERSON, _asked(request, "u") or 0))

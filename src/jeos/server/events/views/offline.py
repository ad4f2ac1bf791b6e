"""What lets a browser keep an event for when there is no network: its worker, and whose each page is.

A service worker is for the addresses below its own, so that each event has one; the file is the same for all. `kept`
marks the pages that it may keep with their reader, and the worker keeps the pages of one reader only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import visitor
from jeos.server.events.views.access import find_event, frame

WORKER = Path(__file__).parent.parent / "static/events/worker.js"
HEADER = "Page-Reader"
VISITOR = "visitor"

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


@cache
def _worker() -> bytes:
    return WORKER.read_bytes()


def reader_name(member: Member | None) -> str:
    """Return what tells a reader's pages from another's in a browser; it says nothing about who it is."""
    if member is None:
        return VISITOR
    return salted_hmac("jeos.events.reader", str(member.pk), algorithm="sha256").hexdigest()[:16]


def kept(view: View[P]) -> View[P]:
    """Let a browser keep a page for its reader."""

    @wraps(view)
    def mark(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code == 200:
            response[HEADER] = reader_name(visitor(request))
        return response

    return mark


@require_GET
def worker(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer with the worker of an event."""
    find_event(slug, visitor(request))
    response = HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"  # a new worker is seen with the next page
    return response


@require_GET
@kept
def offline(request: HttpRequest, slug: str) -> HttpResponse:
    """Say that there is no network and that the page that was asked for is not kept; shown by the worker."""
    event, who = find_event(slug, visitor(request))
    return render(request, "events/offline.html", frame(event, who, "offline"))

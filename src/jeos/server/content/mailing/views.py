"""Ending mail with one click, as mail programs do for their readers (RFC 8058), or with two on a page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from jeos.server.accounts.models import Member, Pace
from jeos.server.content.mailing import addresses

FIELDS = {"personal": ("mail_personal",), "news": ("mail_news",), "all": ("mail_personal", "mail_news")}


@csrf_exempt  # a mail program has no session and no form of ours; the token in the address is what it may do
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """End mail of some kind. Looking at the page ends nothing: programs look at every address in a mail."""
    read = addresses.read_stop(token)
    if read is None:
        raise Http404
    number, what = read
    done = request.method == "POST"
    if done:
        Member.objects.filter(pk=number).update(**dict.fromkeys(FIELDS[what], Pace.NEVER))
    return render(request, "content/stop.html", {"done": done, "what": what})

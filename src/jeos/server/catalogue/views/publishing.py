"""The door for `jeos publish --to`: one publication a request, by a personal token and never by a cookie.

| answer | |
| --- | --- |
| 201, 200 | the version is listed now, or was already: `{"url", "version", "new"}` |
| 400, 413 | it is no publication, or too large |
| 401, 403 | the token does not hold, may not write, or its member may not publish there |
| 409 | the version was published already, with other content |
| 429 | too often; `Retry-After` says when again |

What fails says why: `{"error", "hint"}`.
"""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from jeos.core.errors import InputError
from jeos.model import publication
from jeos.server.accounts.models import Member, Token
from jeos.server.catalogue import publishers, publishing, rights
from jeos.server.catalogue.views.lists import version_url
from jeos.server.content import limits

SCHEME = "Bearer "


class Refused(Exception):  # noqa: N818 - an answer
    """A publication is not taken: with which status, why, and what to do."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint


@csrf_exempt  # a browser sends no such header by itself, and cookies are not looked at
@require_POST
def publish(request: HttpRequest) -> JsonResponse:
    """Take in a publication."""
    now = timezone.now()
    try:
        member = _member(request, now=now)
        limits.use("publish", member=member)
        done = _take(request, member, now=now)
    except Refused as refused:
        return JsonResponse({"error": refused.error, "hint": refused.hint}, status=refused.status)
    except limits.TooOften as often:
        answer = JsonResponse({"error": "you have published too often", "hint": "wait a while"}, status=429)
        answer["Retry-After"] = str(often.seconds)
        return answer
    url = request.build_absolute_uri(version_url(done.version))
    return JsonResponse({"url": url, "version": done.version.version, "new": done.new}, status=201 if done.new else 200)


def _member(request: HttpRequest, *, now: datetime) -> Member:
    """Return the member whose token came along. Raises Refused."""
    said = request.headers.get("Authorization", "")
    token = Token.find(said.removeprefix(SCHEME).strip(), now=now) if said.startswith(SCHEME) else None
    if token is None:
        raise Refused(401, "the token does not hold", "make one under Settings, Tokens")
    if token.used_on != now.date():
        Token.objects.filter(pk=token.pk).update(used_on=now.date())
    if not token.writes:
        raise Refused(403, "the token may not write", "make one that may, under Settings, Tokens")
    if token.member.silenced(now=now):
        raise Refused(403, "you cannot write at present")
    return token.member


def _take(request: HttpRequest, member: Member, *, now: datetime) -> publishing.Published:
    """Read the publication and take it in. Raises Refused."""
    data = _body(request)
    try:
        one = publication.load(data)
        publisher = publishing.choose(one, publishers.of(member))
        if not rights.may_publish(publisher, member, now=now):
            raise Refused(403, f"you may not publish for {publisher.name} at present")
        return publishing.publish(one, publisher=publisher, by=member, now=now)
    except InputError as error:
        raise Refused(400, error.message, error.hint) from error
    except publishing.Conflict as error:
        raise Refused(409, str(error), "a version is published once: raise `version` in the recipe") from error


def _body(request: HttpRequest) -> bytes:
    """Return what was sent. Raises Refused if it is larger than a publication can be."""
    length = request.headers.get("Content-Length", "")
    if not length.isascii() or not length.isdecimal():
        raise Refused(400, "the request does not say how long it is", "send Content-Length")
    if len(length) > 12 or int(length) > publication.MOST_BYTES:
        raise Refused(413, f"this has {length[:20]} bytes, more than {publication.MOST_BYTES}")
    data = request.read(publication.MOST_BYTES + 1)  # not `body`, whose limit is that of forms
    if len(data) != int(length):
        raise Refused(400, "the request ended early", "try again")
    return bytes(data)

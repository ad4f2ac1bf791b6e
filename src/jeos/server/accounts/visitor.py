"""Who asks for a page: a member, or somebody whom the site does not know."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
MemberView = Callable[Concatenate[HttpRequest, Member, P], HttpResponse]


def visitor(request: HttpRequest) -> Member | None:
    """Return the member who asks, or None: the member itself and not Django's lazy one, which is slow to ask things."""
    user = request.user
    if not user.is_authenticated:
        return None
    member = getattr(user, "_wrapped", user)
    assert isinstance(member, Member)
    return member


def for_members(view: MemberView[P]) -> View[P]:
    """Let a view be for members, whom it is given; send others to sign in."""

    @wraps(view)
    def check(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        member = visitor(request)
        if member is None:
            return _to_sign_in(request)
        return view(request, member, *args, **kwargs)

    return check


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send a visitor to sign in, and back to the page afterwards from which a form was sent.

    htmx is told to leave the page: it would follow a redirect itself and put the page that it finds into a part of this
    one (its documentation, "Response Headers").
    """
    back = request.get_full_path()
    if request.method != "GET":
        came = urlsplit(request.headers.get("Referer", ""))
        here = came.netloc == request.get_host()
        back = urlunsplit(("", "", came.path, came.query, "")) if here and came.path else "/"
    answer = redirect_to_login(back)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": answer.headers["Location"]})
    return answer


def for_moderators(view: MemberView[P]) -> View[P]:
    """Let a view be for moderators. Raises PermissionDenied for other members."""

    @wraps(view)
    def check(request: HttpRequest, member: Member, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not member.moderates:
            raise PermissionDenied(_("This page is for moderators."))
        return view(request, member, *args, **kwargs)

    return for_members(check)


def for_administrators(view: MemberView[P]) -> View[P]:
    """Let a view be for administrators. Raises PermissionDenied for other members."""

    @wraps(view)
    def check(request: HttpRequest, member: Member, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not member.administers:
            raise PermissionDenied(_("This page is for administrators."))
        return view(request, member, *args, **kwargs)

    return for_members(check)

"""Language and time zone of a page: the member's, else the cookie's or the browser's language and UTC; signing out;
what there is no page for where organisations alone say who signs in; networks from which nobody joins or writes."""

import zoneinfo
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from jeos.server.accounts import blocking
from jeos.server.accounts.visitor import visitor
from jeos.server.page_cache import choose_language

LANGUAGES = tuple(code for code, _ in settings.LANGUAGES)


@cache
def zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone; UTC for one that this machine does not know."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


class MemberLocale:
    """Activates language and time zone for the length of a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request in the language and time of whoever asks."""
        language = ""
        member = visitor(request) if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if member is not None:
            request.user = member  # and not Django's lazy one, which each page asks dozens of things
            language = member.language
            timezone.activate(zone(member.time_zone))
        else:
            timezone.deactivate()
        if not language:
            cookie = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
            wanted = request.headers.get("Accept-Language", "")
            language = cookie if cookie in LANGUAGES else choose_language(LANGUAGES, wanted, "")
        translation.activate(language)
        response = self._get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language",))
        return response


class ForgetWhenSignedOut:
    """Lets a browser delete what it kept of the site (pages for when there is no network) when its member signs out.

    W3C, "Clear Site Data", section 3.1.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request; one that signs its member out, or lets a member leave, is a POST."""
        posted = request.method == "POST" and settings.SESSION_COOKIE_NAME in request.COOKIES
        was_member = posted and request.user.is_authenticated
        response = self._get_response(request)
        if was_member and not request.user.is_authenticated:
            response["Clear-Site-Data"] = '"storage"'
        return response


class OrganisationsOnly:
    """Closes the pages of passphrases, and of signing up with one, where nobody signs in with one."""

    CLOSED = ("/accounts/password/", "/accounts/signup/")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request; send those away who ask for a closed page."""
        if not settings.SIGN_IN.passphrases and request.path.startswith(self.CLOSED):
            return redirect("account_login")
        return self._get_response(request)


class BlockedNetworks:
    """Keeps those from joining and writing who come from a network that administrators blocked. They read, sign in and
    out, choose a language, end mail, take their data along and leave. Programs are met at the door of the API."""

    READS = ("GET", "HEAD", "OPTIONS")
    JOINING = ("/accounts/signup/", "/accounts/3rdparty/signup/", "/invited/")
    OPEN = ("/accounts/", "/language/", "/mail/stop/", "/settings/data/", "/api/")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request. Raises PermissionDenied for one that is not taken from where it comes."""
        writes = request.method not in self.READS and not request.path.startswith(self.OPEN)
        if writes or request.path.startswith(self.JOINING):
            blocking.check_network(request.META.get("REMOTE_ADDR", ""), visitor(request))
        return self._get_response(request)

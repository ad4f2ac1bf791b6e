"""Refusals that any view may raise, as pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from jeos.server.content.limits import TooOften


class Refusals:
    """Answers `TooOften` with 429 and when to try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a refusal; anything else is somebody else's."""
        if not isinstance(exception, TooOften):
            return None
        minutes = -(-exception.seconds // 60)
        response = render(request, "errors/429.html", {"minutes": minutes}, status=429)
        response["Retry-After"] = str(exception.seconds)
        return response

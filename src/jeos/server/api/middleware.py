"""What all answers of the API have: errors are problems, and what a program has already is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers

from jeos.server.api import problems

PREFIX = "/api/v1/"


class ApiAnswers:
    """Completes the answers under the API's address, and touches no others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        response = self._get_response(request)
        if not request.path.startswith(PREFIX):
            return response
        if response.status_code >= 400 and response.headers.get("Content-Type") != problems.MEDIA_TYPE:
            response = problems.of_page(response)
        patch_vary_headers(response, ("Authorization", "Accept-Language"))
        if request.headers.get("Authorization"):
            response.headers.setdefault("Cache-Control", "private")
        if response.status_code == 204:
            del response.headers["Content-Type"]
        if request.method in ("GET", "HEAD") and response.status_code == 200:
            tag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
            response["ETag"] = tag
            return get_conditional_response(request, etag=tag, response=response) or response
        return response

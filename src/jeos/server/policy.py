"""The content security policy of all pages: one header, made once by django-csp, since no page has one of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from csp.constants import HEADER
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponse


class ContentSecurityPolicy:
    """Gives each answer the policy of the settings."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    @cached_property
    def _policy(self) -> str:
        return str(build_policy())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        response = self._get_response(request)
        response.headers.setdefault(HEADER, self._policy)
        return response

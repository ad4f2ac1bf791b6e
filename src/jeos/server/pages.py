"""Pages that belong to no section: health, robots, and what visitors see when something is wrong."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader


def health(request: HttpRequest) -> HttpResponse:
    """Say that the server and its database answer, for whoever watches it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


def robots(request: HttpRequest) -> HttpResponse:
    """Ask robots to keep to what is worth an index."""
    # Old versions and comparisons are without number, and no crawler is the wiser for them.
    closed = (
        *("/accounts/", "/administration/", "/invited/", "/search/", "/moderation/"),
        *("/wiki/*/compare/", "/wiki/*/version/", "/wiki/*/edit/"),
    )
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed), "Allow: /"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that there is no such page, and where to look."""
    return render(request, "errors/404.html", status=404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that this page is not for this visitor."""
    return render(request, "errors/403.html", {"reason": str(exception)}, status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """Say that the fault is ours; uses neither database nor session, which may be what failed."""
    return HttpResponse(loader.render_to_string("errors/500.html"), status=500)

"""The addresses of the site: each section under its prefix, the front page, and allauth's pages."""

from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string
from django.views.generic import RedirectView

from jeos.server import pages
from jeos.server.section import sections


def _mounted() -> list[URLPattern | URLResolver]:
    """Return what the sections bring."""
    mounted: list[URLPattern | URLResolver] = []
    for one in sections():
        if one.home:
            mounted.append(path("", import_string(f"{one.name}.{one.home}"), name="home"))
        if one.has_addresses():
            prefix = f"{one.prefix}/" if one.prefix else ""
            mounted.append(path(prefix, include((f"{one.name}.urls", one.label))))
    return mounted


urlpatterns = [
    path("accounts/3rdparty/", RedirectView.as_view(pattern_name="accounts:organisations")),  # ours, not allauth's
    path("accounts/", include("allauth.urls")),
    path("healthz", pages.health, name="health"),
    path("robots.txt", pages.robots, name="robots"),
    *_mounted(),
]
handler404 = "jeos.server.pages.not_found"
handler403 = "jeos.server.pages.forbidden"
handler500 = "jeos.server.pages.failed"

"""What stands around every page, its head and its foot: made by templates, and kept under all that they show.

A member reads many pages whose frame is the same but for the form token, what was searched for, and the address.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import SimpleNamespace

from django.conf import settings
from django.utils import translation
from jinja2 import pass_context
from jinja2.filters import do_urlencode
from jinja2.runtime import Context
from markupsafe import Markup, escape

from jeos.server import filled

KEPT = 2_048  # parts that a process keeps: a member has one for each language
TOKEN, TEXT, ADDRESS = filled.marks(3)

_parts: dict[Hashable, filled.Shape] = {}


@pass_context
def header(context: Context) -> Markup:
    """Return the head of the page: the navigation, search, and the member's own menu."""
    request = context.get("request")
    member = request.user if request is not None and request.user.is_authenticated else None
    shown: Hashable
    if member is not None:
        shown = (member.pk, member.handle, member.picture, member.unread, member.moderates, member.administers)
    else:
        shown = bool(context["everybody_may_join"]())
    key = ("header", translation.get_language(), str(context["site_name"]), settings.THEME, shown)

    def render() -> str:
        template = context.environment.get_template("server/header.html")
        return template.render(request=request, csrf_input=TOKEN, text=TEXT)

    shape = _kept(key, (TOKEN, TEXT), render)
    token = str(context["csrf_input"]) if 0 in shape.places else ""  # asking for it sets a cookie
    return Markup(shape.fill((token, escape(context.get("text", "")))))  # noqa: S704


@pass_context
def footer(context: Context) -> Markup:
    """Return the foot of the page; who chooses a language there comes back to the page, if it can be asked for."""
    request = context.get("request")
    asked = request is not None and request.method == "GET"
    key = ("footer", translation.get_language(), str(context["site_name"]), asked)

    def render() -> str:
        here = SimpleNamespace(method="GET", path=str(ADDRESS)) if asked else None
        return context.environment.get_template("server/footer.html").render(request=here)

    shape = _kept(key, (do_urlencode(str(ADDRESS)),), render)
    return Markup(shape.fill((do_urlencode(request.path) if asked else "",)))  # noqa: S704


@pass_context
def look(context: Context) -> Markup:
    """Return the links to style sheets and to the icon."""
    key = ("look", settings.THEME, settings.STATIC_URL)
    return Markup(_kept(key, (), context.environment.get_template("server/look.html").render).fill(()))  # noqa: S704


def _kept(key: Hashable, signs: tuple[str, ...], render: Callable[[], str]) -> filled.Shape:
    shape = _parts.get(key)
    if shape is None:
        if len(_parts) >= KEPT:
            _parts.clear()
        shape = _parts[key] = filled.Shape(render(), signs)
    return shape

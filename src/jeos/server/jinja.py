"""The Jinja2 environment of the site's pages: addresses, static files, translation, dates.

Pages are written in Jinja2 because it renders a thread of 50 posts in a tenth of the time of Django's own templates.
"""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from jinja2 import Environment, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from jeos.server import dates, form_token, frame, marks
from jeos.server.section import sections

HIDDEN = Markup('<input type="hidden" name="{}" value="{}">')  # so that a template may join it with something


class Late:
    """HTML that is made when it is first put into a page."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], str]) -> None:
        self._make, self._made = make, ""

    def __str__(self) -> str:
        if not self._made:
            self._made = self._make()
        return self._made

    __html__ = __str__


@lru_cache(maxsize=8_192)
def url(name: str, *args: int | str) -> str:
    """Return the address of a view. Addresses do not change while a process lives."""
    return reverse(name, args=args or None)


@pass_context
def signed_in(context: Context) -> bool:
    """Tell whether the page is for a member."""
    request = context.get("request")
    return request is not None and request.user.is_authenticated


def once(request: HttpRequest) -> dict[str, object]:
    """Return what every page has: the form token, made once and only if it is used; Django makes one for each form."""
    token = Late(lambda: form_token.of(request))
    return {"csrf_token": token, "csrf_input": Late(lambda: HIDDEN.format("csrfmiddlewaretoken", token))}


def template_names() -> dict[str, object]:
    """Return the functions that sections bring for their templates: those in the `NAMES` of their `templating.py`."""
    found: dict[str, object] = {}
    for one in sections():
        if importlib.util.find_spec(f"{one.name}.templating") is not None:
            found.update(importlib.import_module(f"{one.name}.templating").NAMES)
    return found


def gettext(message: str, **values: object) -> Markup:
    """Return a message in the language of the page, with values put in and escaped, as Jinja2's own does."""
    if values:
        return Markup(translation.gettext(message)) % values  # noqa: S704 - messages are ours
    return _translated(translation.get_language() or "en", message)


@lru_cache(maxsize=8_192)
def _translated(language: str, message: str) -> Markup:
    return Markup(translation.gettext(message)) % {}  # noqa: S704


def navigation() -> list[tuple[str, str]]:
    """Return address and title of what the navigation shows."""
    return _navigation(translation.get_language() or "en")


@cache
def _navigation(language: str) -> list[tuple[str, str]]:
    return [(f"/{one.prefix}/" if one.prefix else "/", str(one.title)) for one in sections() if one.title]


def environment(**options: Any) -> Environment:
    """Return the environment that Django's Jinja2 backend asks for."""
    made = Environment(  # noqa: S701 - autoescape is among the options
        **{**options, "trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined},
        extensions=["jinja2.ext.i18n"],
    )
    # Jinja2's own "new style" escapes what is put into a translated text, as everything else in a page. A page has 40
    # of the simplest, whose translations ours remembers.
    made.install_gettext_callables(  # type: ignore[attr-defined]
        translation.gettext, translation.ngettext, newstyle=True, pgettext=translation.pgettext
    )
    globals_: dict[str, Callable[..., object] | object] = {
        "_": gettext,
        "gettext": gettext,
        "url": url,
        "static": marks.address,
        "icon": marks.icon,
        "colon": marks.COLON,
        "avatar": marks.avatar,
        "member_link": marks.member_link,
        "tag_link": marks.tag_link,
        "macros": cache(lambda name: made.get_template(name).module),
        "look": frame.look,
        "header": frame.header,
        "footer": frame.footer,
        "signed_in": signed_in,
        "navigation": navigation,
        "language": translation.get_language,
        "get_messages": get_messages,
        "languages": settings.LANGUAGES,
        "theme": lambda: settings.THEME,
        "site_name": settings.SITE_NAME,
    }
    made.globals.update(globals_ | template_names())
    made.filters.update({"ago": dates.ago, "date": dates.date, "moment": dates.moment, "number": dates.number})
    return made

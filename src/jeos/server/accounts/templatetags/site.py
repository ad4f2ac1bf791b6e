"""Parts of the site's own pages for allauth's, which are written for Django's template engine."""

from django.conf import settings
from django.template import Context, Library
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

register = Library()


@register.simple_tag(takes_context=True)
def site_part(context: Context, name: str, at: str = "") -> SafeString:
    """Return a part that is written in Jinja2, as "server/header.html"."""
    made = render_to_string(name, {"at": at}, request=context["request"], using="jinja2")
    return mark_safe(made)  # noqa: S308 - Jinja2 has escaped what is not markup


@register.simple_tag
def sign_in_by_form() -> bool:
    """Tell whether a login and a passphrase can sign anybody in."""
    return bool(settings.SIGN_IN.by_form)

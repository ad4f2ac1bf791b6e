"""Read a channel over HTTP as everybody sees it: `jeos channel show` and `verify` of what a server or CDN gives out."""

from jeos.channel.backend import MISSING_HINT, WHAT
from jeos.store.places.web import WebPlace


class WebReader(WebPlace):
    """The files of a channel at an http(s) address."""

    what, missing_hint = WHAT, MISSING_HINT

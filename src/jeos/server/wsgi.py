"""The application that granian serves: static files, then the cache of anonymous pages, then Django."""

import os
from collections.abc import Callable, Iterable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeos.server.settings")

from typing import cast

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise

from jeos.server.page_cache import Application, Environ, PageCache
from jeos.server.proxies import Behind

_pages = PageCache(cast(Application, get_wsgi_application()), languages=[code for code, _ in settings.LANGUAGES])
_files = WhiteNoise(_pages, root=str(settings.STATIC_ROOT), prefix="static/", immutable_file_test=r"\.[0-9a-f]{12}\.")


def _answer(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer a request; only addresses under /static/ look for a file."""
    if str(environ["PATH_INFO"]).startswith("/static/"):
        return cast(Iterable[bytes], _files(environ, start_response))
    return _pages(environ, start_response)


application = Behind(_answer, proxies=settings.ENVIRONMENT.proxies)

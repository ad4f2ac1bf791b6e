"""The API as one: built of what the sections bring, with its OpenAPI document (OpenAPI 3.1.0)."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from typing import Any

from django.conf import settings
from ninja import NinjaAPI, Router
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from jeos.server.api import problems, resources
from jeos.server.api.reading import StrictParser
from jeos.server.section import sections

VERSION = "1.0.0"
SCHEME = "token"
ABOUT = """\
What members do on the pages of this site, programs can do for them here. Lists are read page by page: `next` in the
answer, and the `Link` header, name the following page. Errors are problem details (RFC 9457). A program that writes
presents a personal token that may write, made under *Settings, Tokens*; without a token, a program reads what every
visitor may read.
"""


class Api(NinjaAPI):
    """Ninja's API, whose document says of errors and tokens what is true."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._documents: dict[str, OpenAPISchema] = {}  # by the address of the API

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the name of an operation for programs that are generated: that of its function."""
        return str(operation.view_func.__name__)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the document, which is made once: making it takes half a second, and nothing in it changes."""
        prefix = self.get_root_path(dict(path_params or {})) if path_prefix is None else path_prefix
        if prefix not in self._documents:
            self._documents[prefix] = self._made(prefix)
        return self._documents[prefix]

    def _made(self, prefix: str) -> OpenAPISchema:
        made = super().get_openapi_schema(path_prefix=prefix)
        for methods in made["paths"].values():
            for operation in methods.values():
                _correct(operation)
        made["components"]["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "jeos_…"}}
        made["components"]["schemas"] = dict(sorted(made["components"]["schemas"].items()))
        return made


def _correct(operation: dict[str, Any]) -> None:
    """Say what ninja cannot know: problems have a type of their own, and some operations need no token."""
    for status, said in operation["responses"].items():
        if int(status) >= 400 and "application/json" in said.get("content", {}):
            said["content"] = {problems.MEDIA_TYPE: said["content"]["application/json"]}
    needs = [name for one in operation.get("security", ()) for name in one]
    operation["security"] = [{}, {SCHEME: []}] if needs == ["Reader"] else [{SCHEME: []}]


def routers() -> list[Router]:
    """Return what the API is made of: what sections bring, in the order of the navigation, then its own resources."""
    brought = [
        importlib.import_module(f"{one.name}.api").router
        for one in sections()
        if one.label != "api" and importlib.util.find_spec(f"{one.name}.api") is not None
    ]
    own = sorted(module.name for module in pkgutil.iter_modules(resources.__path__))
    return [*brought, *(importlib.import_module(f"{resources.__name__}.{name}").router for name in own)]


@cache
def api() -> Api:
    """Return the API of this site."""
    made = Api(
        title=settings.SITE_NAME,
        version=VERSION,
        description=ABOUT,
        docs_url=None,
        urls_namespace="api:v1",
        parser=StrictParser(),
        servers=[{"url": settings.ENVIRONMENT.url}],
    )
    problems.register(made)
    for router in routers():
        made.add_router("", router)
    return made

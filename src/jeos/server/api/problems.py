"""Errors as problem details (RFC 9457), `application/problem+json`, whatever went wrong and wherever."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

from jeos.server.api.access import Unknown
from jeos.server.content.limits import TooOften

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("django.request")


class Fault(BaseModel):
    """What is wrong with one value of a call."""

    where: str = Field(examples=["title"])
    message: str = Field(examples=["Say in a few words what it is about."])


class Problem(BaseModel):
    """Why a call was refused (RFC 9457)."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(default="", examples=["Some values are not what they must be."])
    errors: list[Fault] = Field(default_factory=list)


class Invalid(Exception):  # noqa: N818 - named for the values
    """Values of a call are not what they must be."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("invalid")
        self.faults = list(faults)


class Conflict(Exception):  # noqa: N818 - named for what happened
    """Somebody else changed meanwhile what the call is about; `more` stands in the answer."""

    def __init__(self, detail: str, more: Mapping[str, object] | None = None) -> None:
        super().__init__(detail)
        self.more = dict(more or {})


def of_form(form: Form) -> Invalid:
    """Return what is wrong with the values of a form, said in the words of the site's pages."""
    faults = [
        Fault(where="" if name == "__all__" else name, message=str(message))
        for name, messages in form.errors.items()
        for message in messages
    ]
    return Invalid(faults)


def answer(
    status: int, detail: str = "", *, faults: Iterable[Fault] = (), more: Mapping[str, object] | None = None
) -> HttpResponse:
    """Return a problem as an answer."""
    title = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    problem = Problem(title=title, status=status, detail=detail, errors=list(faults))
    value = problem.model_dump() | dict(more or {})
    return HttpResponse(json.dumps(value), status=status, content_type=MEDIA_TYPE)


def _invalid(error: ValidationError) -> HttpResponse:
    """Answer values that do not fit the schema; an address that fits none leads nowhere."""
    if any(one["loc"][0] == "path" for one in error.errors):
        return answer(404, _("There is nothing here."))
    # The path into the body begins with the name of the function's parameter, which is nobody's business.
    faults = [
        Fault(
            where=".".join(str(part) for part in one["loc"][2 if one["loc"][0] == "body" else 1 :]), message=one["msg"]
        )
        for one in error.errors
    ]
    return answer(422, _("Some values are not what they must be."), faults=faults)


def of(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """Return the answer to an error that an operation ended with."""
    match error:
        case ValidationError():
            return _invalid(error)
        case Invalid():
            return answer(422, _("Some values are not what they must be."), faults=error.faults)
        case Unknown():
            refused = answer(401, str(error))
            refused["WWW-Authenticate"] = 'Bearer realm="exchange"'
            return refused
        case Http404():
            return answer(404, _("There is nothing here."))
        case PermissionDenied():
            return answer(403, str(error) or _("You may not do this."))
        case Conflict():
            return answer(409, str(error), more=error.more)
        case TooOften():
            later = answer(429, _("Too often; try again in {n} seconds.").format(n=error.seconds))
            later["Retry-After"] = str(error.seconds)
            return later
        case RequestDataTooBig():
            return answer(413, _("That is too much for one call."))
        case BadRequest() | SuspiciousOperation():
            return answer(400, str(error))
        case HttpError():
            return answer(error.status_code, str(error))
    _log.error("Internal Server Error: %s", request.path, exc_info=error if isinstance(error, Exception) else None)
    got_request_exception.send(sender=None, request=request)  # as Django does for its own pages
    return answer(500, _("The fault is ours."))


def register(api: NinjaAPI) -> None:
    """Let an API answer all errors as problems."""
    for kind in (Exception, HttpError, Http404, ValidationError):
        api.add_exception_handler(kind, of)


def of_page(response: HttpResponse) -> HttpResponse:
    """Return a problem in place of a page that Django made of an error: of an unknown address or method."""
    texts = {404: _("There is nothing here."), 405: _("This address does not take that method.")}
    made = answer(response.status_code, texts.get(response.status_code, ""))
    for name, value in response.headers.items():
        if name not in ("Content-Type", "Content-Length"):
            made[name] = value
    return made


WORD = re.compile(r"\A[^\x00\ud800-\udfff]*\Z")  # what both databases can keep

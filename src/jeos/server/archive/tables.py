"""Which tables a site's archive has, and how a row of one becomes JSON and comes back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import BinaryField, BooleanField, Field, ForeignKey, IntegerField, JSONField, Model

from jeos.core.errors import InputError

FORMAT = 1
LEFT_OUT = {  # what is of use on one machine, for a while
    *("jobs.Mail", "jobs.Heartbeat", "jobs.Due", "content.Allowance", "content.Incoming"),
}
OTHERS = (
    "account.EmailAddress",
    "mfa.Authenticator",
    "socialaccount.SocialAccount",
)  # tables of packages that belong to members
SEARCH = "content.Document"  # written through the index, which makes its own numbers
STORED = {  # fields that name an uploaded file by its digest; the file is in the archive too
    "content.Attachment": ("digest", "small"),
    "accounts.Member": ("picture",),
}
PACKAGE = "jeos.server."
DIGEST = re.compile(r"\A[0-9a-f]{64}\Z")
Json = Any


def every() -> dict[str, type[Model]]:
    """Return the tables of an archive by name."""
    own = [
        model for config in apps.get_app_configs() if config.name.startswith(PACKAGE) for model in config.get_models()
    ]
    found = {f"{model._meta.app_label}.{model.__name__}": model for model in own}
    found |= {name: apps.get_model(name) for name in OTHERS}
    return {name: found[name] for name in sorted(found) if name not in LEFT_OUT}


def fields(name: str, model: type[Model]) -> list[Field[Any, Any]]:
    """Return the fields of a table that an archive has."""
    wanted = [field for field in model._meta.concrete_fields if not (name == SEARCH and field.primary_key)]
    return [field for field in wanted if not getattr(field, "generated", False)]


def as_json(row: Model, columns: list[Field[Any, Any]], *, keep: Callable[[bytes], str]) -> dict[str, Json]:
    """Return a row; `keep` takes the bytes of an attachment and returns its name."""
    made: dict[str, Json] = {}
    for field in columns:
        value = getattr(row, field.attname)
        if isinstance(field, BinaryField) and value is not None:
            value = {"attachment": keep(bytes(value))}
        elif isinstance(value, (datetime, date)):
            value = value.isoformat()
        made[field.attname] = value
    return made


def as_row(
    model: type[Model], columns: dict[str, Field[Any, Any]], value: Json, *, find: Callable[[str], bytes], where: str
) -> Model:
    """Return the row that a line of an archive holds; `find` returns an attachment's bytes. Raises InputError."""
    if not isinstance(value, dict):
        raise InputError(f"{where} is no object", hint="the archive is damaged")
    unknown = set(value) - set(columns)
    if unknown:
        raise InputError(
            f"{where} has fields that this version does not know: {', '.join(sorted(unknown))}", hint="update jeos"
        )
    made: dict[str, Json] = {}
    for name, said in value.items():
        made[name] = _read(columns[name], said, find=find, where=f"{where}, {name}")
    return model(**made)


def _read(field: Field[Any, Any], said: Json, *, find: Callable[[str], bytes], where: str) -> Json:
    """Return a value for a field. Raises InputError for one that does not fit."""
    if said is None:
        if not field.null:
            raise InputError(f"{where} is missing", hint="the archive is damaged")
        return None
    if isinstance(field, JSONField):
        return said
    if isinstance(field, BinaryField):
        digest = said.get("attachment") if isinstance(said, dict) else None
        if not isinstance(digest, str) or not DIGEST.match(digest):
            raise InputError(f"{where} names no attachment", hint="the archive is damaged")
        return find(digest)
    if type(said) is not kind_of(field):
        raise InputError(f"{where} does not fit: {str(said)[:60]}", hint="the archive is damaged")
    try:
        value = field.to_python(said)
    except (ValidationError, ValueError, OverflowError) as error:
        raise InputError(f"{where} does not fit: {str(said)[:60]}", hint="the archive is damaged") from error
    longest = getattr(field, "max_length", None)
    if isinstance(value, str) and ("\0" in value or (longest is not None and len(value) > longest)):
        raise InputError(f"{where} is longer than {longest} characters, or no text", hint="the archive is damaged")
    return value


def kind_of(field: Field[Any, Any]) -> type:
    """Return the type that a field's values have in JSON."""
    meant = field.target_field if isinstance(field, ForeignKey) else field
    if isinstance(meant, BooleanField):
        return bool
    return int if isinstance(meant, IntegerField) else str


def stored(name: str, row: Model) -> list[str]:
    """Return the digests of the uploaded files that a row names."""
    digests = [str(getattr(row, field)) for field in STORED.get(name, ())]
    return [digest for digest in digests if DIGEST.match(digest)]


def digest_of(data: bytes) -> str:
    """Return the name of an attachment."""
    return hashlib.sha256(data).hexdigest()

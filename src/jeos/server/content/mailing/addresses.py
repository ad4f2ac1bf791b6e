"""Addresses and identifiers in mail that say whom and what they are for, and that nobody else can make.

    reply_address(member=7, kind=1, number=12, now=now)     # reply+MFRGG…@exchange.example

An answer goes to an address that holds for one member and one piece of content, for some weeks. The part before the @
has 64 characters at most and may lose its capitals on the way (RFC 5321, section 4.5.3.1.1 and section 2.4), so it is
base32.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

HOLDS = 60  # days for which one may answer a mail
LONGEST = 64  # characters before the @
CODE = 45  # characters of a code: 28 bytes in base32
_SHAPE = struct.Struct(">HQHI")  # the last day that it holds, number, kind, member
_MAC = 12  # bytes: what takes 2^96 tries is not guessed by mail
_FIRST = date(2020, 1, 1)
_CODE = re.compile(rf"\+([a-z2-7]{{{CODE}}})@", re.IGNORECASE)
_OURS = re.compile(r"<((?:[a-z]\.\d+\.[a-z0-9.-]+?))\.([a-z2-7]{16})@", re.IGNORECASE)
STOPS = ("personal", "news", "all")


@dataclass(frozen=True)
class Target:
    """What an address is for: a member answers a piece of content."""

    member: int
    kind: int
    number: int


class BadAddress(Exception):  # noqa: N818 - named for what is wrong
    """An address for answers that was not made here, or that holds no longer (`old`)."""

    def __init__(self, *, old: Target | None = None) -> None:
        super().__init__("holds no longer" if old else "was not made here")
        self.old = old


def _mac(salt: str, data: bytes, size: int) -> bytes:
    return salted_hmac(f"jeos.mail.{salt}", data, algorithm="sha256").digest()[:size]


def reply_address(target: Target, *, now: datetime) -> str:
    """Return the address to which a member answers something; empty where the site takes no answers by mail."""
    local, at, host = settings.MAIL_REPLY.rpartition("@")
    if not at:
        return ""
    last = (now.astimezone(UTC).date() - _FIRST).days + HOLDS
    data = _SHAPE.pack(last, target.number, target.kind, target.member)
    code = base64.b32encode(data + _mac("reply", data, _MAC)).decode().rstrip("=").lower()
    return f"{local}+{code}@{host}"


def find_code(headers: str) -> str:
    """Return the code of the first address for answers among the values of some headers; empty for none."""
    found = _CODE.search(headers)
    return found.group(1).lower() if found else ""


def read_code(code: str, *, now: datetime) -> Target:
    """Return what a code is for. Raises BadAddress."""
    try:
        raw = base64.b32decode(code.upper() + "=" * (-len(code) % 8))
    except ValueError:
        raise BadAddress() from None
    data, mac = raw[: _SHAPE.size], raw[_SHAPE.size :]
    if len(mac) != _MAC or not constant_time_compare(mac, _mac("reply", data, _MAC)):
        raise BadAddress()
    last, number, kind, member = _SHAPE.unpack(data)
    target = Target(member=member, kind=kind, number=number)
    if (now.astimezone(UTC).date() - _FIRST).days > last:
        raise BadAddress(old=target)
    return target


def message_id(what: str) -> str:
    """Return the Message-ID of a mail, by which what comes back is known for ours; the same for the same `what`."""
    mac = base64.b32encode(_mac("id", what.encode(), 10)).decode().lower()
    return f"<{what}.{mac}@{settings.ENVIRONMENT.host}>"


def member_of(text: str) -> int | None:
    """Return the member to whom a mail went whose Message-ID stands in a text; None if none of ours does."""
    for found in _OURS.finditer(text):
        what, mac = found.group(1).lower(), found.group(2).lower()
        if constant_time_compare(mac, base64.b32encode(_mac("id", what.encode(), 10)).decode().lower()):
            return int(what.split(".")[1])
    return None


def stop_address(member: int, what: str) -> str:
    """Return the address at which one request ends mail of some kind to a member (RFC 8058)."""
    token = signing.Signer(salt="jeos.mail.stop").sign(f"{member}:{what}")
    return f"{settings.ENVIRONMENT.url}/mail/stop/{token}/"


def read_stop(token: str) -> tuple[int, str] | None:
    """Return the member and the kind of mail that a token ends; None for one that was not made here."""
    try:
        member, _, what = signing.Signer(salt="jeos.mail.stop").unsign(token).partition(":")
    except signing.BadSignature:
        return None
    return (int(member), what) if what in STOPS else None

"""Reading a mail that came: whom it is for, who sent it, what it says, and whether a program wrote it. Nothing is done.

Sizes, parts and their nesting are bounded before the mail is taken apart. Attachments are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parseaddr

from jeos.server.content.mailing import addresses, cutting

SIZE = 2 << 20  # bytes of a mail; who attaches more may use the page
PARTS = 40
NESTING = 6
HEAD = 64 << 10  # bytes of headers
TEXT = 200_000  # characters of a part with text
_BULK = ("bulk", "junk", "list", "auto_reply")
_ADDRESSED = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")


@dataclass(frozen=True)
class Letter:
    """A mail that came. `automatic` says why it is a program's, if it is."""

    identity: str  # its Message-ID; empty for none
    sender: str  # an address in small letters
    code: str  # of the address for answers
    automatic: str
    text: str
    bounced: int | None = None  # the member whom our mail did not reach
    status: str = ""  # of a delivery that failed (RFC 3463), as 5.1.1


class BadMail(Exception):  # noqa: N818 - named for what is wrong
    """A mail that is not taken apart: too large, or of too many parts."""


def read(data: bytes) -> Letter:
    """Return what a mail says. Raises BadMail."""
    try:
        return _read(data)
    except RecursionError:
        raise BadMail("has parts within parts without end") from None
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        # What Python's parser does with a head that breaks the rules in a way that nobody has thought of.
        raise BadMail(f"cannot be read: {type(error).__name__}") from error


def _read(data: bytes) -> Letter:
    if len(data) > SIZE:
        raise BadMail(f"has {len(data)} bytes; at most {SIZE} are read")
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    low = data.lower()
    if len(head) > HEAD or low.count(b"boundary") > PARTS or low.count(b"message/rfc822") > PARTS:
        raise BadMail("has too many parts, or too much of a head")
    message = message_from_bytes(data, policy=policy.compat32)
    parts = _parts(message, depth=0)
    status = _failed(message, parts)
    return Letter(
        identity=_header(message, "Message-ID").strip()[:300],
        sender=parseaddr(_header(message, "From"))[1].lower()[:320],
        code=addresses.find_code("\n".join(_header(message, name) for name in _ADDRESSED)),
        automatic=_automatic(message),
        text=_text(parts),
        bounced=addresses.member_of(data.decode("latin-1")) if status else None,
        status=status,
    )


def _header(message: Message, name: str) -> str:
    """Return the values of a header, one on each line, without what no database keeps."""
    values = "\n".join(str(value) for value in message.get_all(name, []))
    return values.replace("\0", "").encode(errors="replace").decode()


def _parts(message: Message, *, depth: int) -> list[Message]:
    """Return the parts of a mail that are not made of parts. Raises BadMail for too many, or too deep."""
    if depth > NESTING:
        raise BadMail(f"has parts more than {NESTING} deep")
    if message.get_content_type() == "message/rfc822":
        return []  # another mail, which is nobody's answer
    inner = message.get_payload()
    if not isinstance(inner, list):
        return [message]
    found = [part for one in inner if isinstance(one, Message) for part in _parts(one, depth=depth + 1)]
    if len(found) > PARTS:
        raise BadMail(f"has more than {PARTS} parts")
    return found


def _automatic(message: Message) -> str:
    """Return why a mail is taken for a program's: RFC 3834, and what programs did before it; empty if it is not."""
    submitted = _header(message, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted}"
    if _header(message, "Precedence").strip().lower() in _BULK:
        return "Precedence"
    for name in ("List-Id", "X-Autoreply", "X-Autorespond", "X-Loop"):
        if name in message:
            return name
    if _header(message, "Return-Path").strip() == "<>" or message.get_content_type() == "multipart/report":
        return "no sender"
    local = parseaddr(_header(message, "From"))[1].lower().partition("@")[0]
    return "From" if local in ("", "mailer-daemon", "postmaster", "noreply", "no-reply") else ""


def _text(parts: list[Message]) -> str:
    """Return the answer in a mail: in its plain text, else in its HTML."""
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
                text = _decoded(part)
                answer = cutting.answer_of(text if kind == "text/plain" else cutting.text_of(text))
                if answer:
                    return answer.replace("\0", "")
    return ""


def _decoded(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return data.decode(part.get_content_charset("utf-8"), errors="replace")[:TEXT]
    except LookupError:
        return data.decode("utf-8", errors="replace")[:TEXT]


def _failed(message: Message, parts: list[Message]) -> str:
    """Return the status of a delivery that failed for good, from a report about it (RFC 3464); else nothing."""
    if message.get_content_type() != "multipart/report":
        return ""
    said = "\n".join(
        str(part) for part in parts if part.get_content_type() in ("message/delivery-status", "text/plain")
    )
    failed = re.search(r"^Action:\s*failed\b", said, re.IGNORECASE | re.MULTILINE)
    status = re.search(r"^Status:\s*(5\.\d{1,3}\.\d{1,3})\b", said, re.IGNORECASE | re.MULTILINE)
    return status.group(1) if failed and status else ""

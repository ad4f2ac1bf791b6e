"""BBCode as Markdown: what phpBB keeps, in all its forms, and what Discourse adds to Markdown.

    to_markdown("[b]No[/b] link, see [url=https://a.example/]here[/url]")     # **No** link, see [here](https://a.example/)

Every text has a result: what is no mark, or has no end, stays as it was written.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from jeos.server.importing.records import file_link

LONGEST = 200_000  # characters of one text
DEEPEST = 12  # quotes within quotes
_MARK = re.compile(r"\[(/?)([a-z*]{1,12})(?::[a-z0-9:]{1,20})?(?:=([^\]\n]{0,500}))?\]", re.IGNORECASE)
_XML = re.compile(r"<[^<>]{0,2000}>")
_SMILEY = re.compile(r"<!-- s(\S{1,20}) --><img[^>]{0,500}><!-- s\S{1,20} -->")
_ESCAPED = re.compile(r"([\\`*_\[\]<>])")
_LINE_START = re.compile(r"(?m)^([ \t]*)([#>+~=|-]|\d{1,9}[.)])")
_QUOTE_UID = re.compile(r'\A"?(?:&quot;)?([^",]{1,60})')
_DISCOURSE_QUOTE = re.compile(
    r'\[quote="([^",\]\n]{1,60})[^\]\n]{0,200}\]\n?(.*?)\n?\[/quote\]', re.DOTALL | re.IGNORECASE
)
_SAFE = re.compile(r"\A(?:https?://|mailto:|/)[^\s<>]{1,1900}\Z", re.IGNORECASE)
_INDEX = re.compile(r"[0-9]{1,4}\Z")
WRAPPED = {"b": "**", "i": "*", "s": "~~"}
DROPPED = {"u", "size", "color", "font", "center", "left", "right"}


@dataclass
class _Open:
    """A mark that waits for its end, and what stands in it so far."""

    name: str
    value: str
    written: str  # as it stood in the text
    parts: list[str] = field(default_factory=list)


def unwrap(text: str) -> str:
    """Return the BBCode in what phpBB keeps: since 3.2 it is XML around it, before that HTML entities."""
    text = _SMILEY.sub(r"\1", text[:LONGEST])
    if text.startswith(("<t>", "<r>")):
        text = _XML.sub(lambda found: "\n" if found[0] in ("<br/>", "<br>") else "", text).replace("\n\n\n", "\n\n")
    else:
        text = _XML.sub("", text)
    return html.unescape(text).replace("\0", "")


def plain(text: str) -> str:
    """Return the words in what phpBB keeps, without marks."""
    return _MARK.sub("", unwrap(text)).strip()


def to_markdown(text: str) -> str:
    """Return BBCode as Markdown."""
    stack = [_Open("", "", "")]
    at = 0
    text = text[:LONGEST].replace("\r\n", "\n")
    for mark in _MARK.finditer(text):
        if mark.start() < at:
            continue
        _put(stack, _plain(text[at : mark.start()], stack))
        at = mark.end()
        name = mark[2].lower()
        if stack[-1].name == "code" and not (mark[1] and name == "code"):
            _put(stack, mark[0])
        elif mark[1]:
            _close(stack, name, mark[0])
        elif name == "*":
            _item(stack)
        elif _known(name) and len(stack) <= DEEPEST:
            stack.append(_Open(name, mark[3] or "", mark[0]))
        else:
            _put(stack, escape(mark[0]))
    _put(stack, _plain(text[at:], stack))
    while len(stack) > 1:
        unended = stack.pop()
        _put(stack, escape(unended.written) + "".join(unended.parts))
    return re.sub(r"\n{3,}", "\n\n", "".join(stack[0].parts)).strip()


def _known(name: str) -> bool:
    return name in WRAPPED or name in DROPPED or name in {"url", "email", "img", "quote", "code", "list", "attachment"}


def _put(stack: list[_Open], text: str) -> None:
    stack[-1].parts.append(text)


def _plain(text: str, stack: list[_Open]) -> str:
    """Return what stands between marks: escaped, but in code and in addresses."""
    literal = stack[-1].name in ("code", "img") or (stack[-1].name in ("url", "email") and not stack[-1].value)
    return text if literal else escape(text)


def escape(text: str) -> str:
    """Return a text in which Markdown sees no marks; addresses are left as they are."""
    parts = re.split(r"(https?://[^\s<>\[\]]{1,2000})", text)
    return "".join(part if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    return _LINE_START.sub(_at_line_start, _ESCAPED.sub(r"\\\1", text))


def _at_line_start(found: re.Match[str]) -> str:
    """Return the beginning of a line so that it begins no list, heading or quotation; spaces would make it code."""
    sign = found[2]
    return f"{sign[:-1]}\\{sign[-1]}" if sign[0].isdigit() else f"\\{sign}"


def _item(stack: list[_Open]) -> None:
    inside = stack[-1].name == "list"
    _put(stack, "\n- " if inside else "\\[\\*\\]")


def _close(stack: list[_Open], name: str, written: str) -> None:
    """End a mark; those within it that have no end stay as they were written."""
    if not any(one.name == name for one in stack[1:]):
        _put(stack, "" if name in ("*", "m") else escape(written))
        return
    while stack[-1].name != name:
        unended = stack.pop()
        _put(stack, escape(unended.written) + "".join(unended.parts))
    done = stack.pop()
    _put(stack, _made(done, "".join(done.parts)))


def _made(mark: _Open, inner: str) -> str:
    """Return a mark with what stands in it as Markdown."""
    stripped = inner.strip()
    if mark.name in WRAPPED:
        sign = WRAPPED[mark.name]
        return f"{sign}{stripped}{sign}" if stripped and "\n\n" not in stripped else inner
    if mark.name in ("url", "email"):
        address = (mark.value or stripped).strip('"').strip()
        address = f"mailto:{address}" if mark.name == "email" and address else address
        if not _SAFE.match(address) or "(" in address or ")" in address:
            return inner
        return f"[{stripped}]({address})" if mark.value else f"<{address}>" if "://" in address else stripped
    if mark.name == "img":
        return f"<{stripped}>" if _SAFE.match(stripped) and "://" in stripped else escape(stripped)
    if mark.name == "code":
        fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", inner)), default=0) + 1)
        body = inner.strip("\n")
        return f"\n\n{fence}\n{body}\n{fence}\n\n"
    if mark.name == "attachment":
        return file_link(stripped, int(mark.value)) if _INDEX.match(mark.value) else inner
    if mark.name == "quote":
        return _quotation(mark.value, stripped)
    return f"\n{stripped}\n\n" if mark.name == "list" else inner


def _quotation(value: str, inner: str) -> str:
    who = _QUOTE_UID.match(html.unescape(value)) if value else None
    lines = ([f"**{escape(who[1].strip())}**", ""] if who else []) + inner.split("\n")
    return "\n\n" + "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"


def of_discourse(text: str) -> str:
    """Return a text of Discourse, which is Markdown, with its quotations as Markdown has them."""
    text = text[:LONGEST].replace("\r\n", "\n").replace("\0", "")
    for _depth in range(DEEPEST):
        replaced = _DISCOURSE_QUOTE.sub(lambda found: _quotation(found[1], found[2]), text)
        if replaced == text:
            break
        text = re.sub(r"\n{3,}", "\n\n", replaced)
    return text.strip()

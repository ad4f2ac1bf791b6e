"""What somebody wrote, out of a mail that answers another: without the other mail, and without the signature.

Only what is surely not the answer is cut: what stands below the line that our mails ask to write above, a signature
after the line that RFC 3676 (section 4.3) gives it, and at the end the quoted mail with the line that introduces it.
What is quoted between the lines of an answer stays, since it says what is answered.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

LINES = 5_000  # of a mail that are looked at; what follows is not an answer
MARK = "#~"  # what the line begins with above which one answers, in every language
_MARKED = re.compile(r"^[>\s|*]*#~ .* ~#[\s*]*$")
_SIGNATURE = re.compile(r"^--\s?$")
_QUOTED = re.compile(r"^\s*>")
_FORWARDED = re.compile(
    r"^\s*[-_]{3,}\s*(original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht|"
    r"message d.origine|message original|message transféré)\s*[-_]{3,}\s*$",
    re.IGNORECASE,
)
_RULE = re.compile(r"^_{20,}\s*$")
_HEADS = re.compile(r"^\s*\*?(from|sent|to|subject|von|gesendet|an|betreff|de|envoyé|à|objet)\*?\s*:", re.IGNORECASE)
_WROTE = re.compile(r"(wrote|schrieb[^:]{0,200}|a écrit)\s*:\s*$", re.IGNORECASE)
_BEGINS = re.compile(r"^\s*(on|am|le)\s", re.IGNORECASE)
INTRODUCTION = 4  # lines over which programs spread "On … wrote:"


def answer_of(text: str) -> str:
    """Return what was written in a mail's plain text; empty if nothing was."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:LINES]
    lines = lines[: _end(lines)]
    while lines:
        before = len(lines)
        lines = _without_blank(lines)
        lines = _without_quote(lines)
        if len(lines) == before:
            break
    return "\n".join(line.rstrip() for line in lines).strip()


def _end(lines: list[str]) -> int:
    """Return where an answer surely ends: at our mark, at a signature, at another program's mark."""
    for number, line in enumerate(lines):
        if _MARKED.match(line) or _SIGNATURE.match(line) or _FORWARDED.match(line):
            return number
        if _RULE.match(line) and any(_HEADS.match(following) for following in lines[number + 1 : number + 3]):
            return number
    return len(lines)


def _without_blank(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _without_quote(lines: list[str]) -> list[str]:
    """Return lines without the quotation that they end with, and without the line that introduces it."""
    end = len(lines)
    while end and (_QUOTED.match(lines[end - 1]) or not lines[end - 1].strip()):
        end -= 1
    kept = _without_blank(lines[:end])
    if not kept or not _WROTE.search(kept[-1]):
        return kept if end < len(_without_blank(lines)) else lines
    for back in range(1, INTRODUCTION + 1):
        if back <= len(kept) and _BEGINS.match(kept[-back]):
            return kept[:-back]
    return kept


class _Reader(HTMLParser):
    """Reads the words of an HTML mail, without what is quoted in it and what is not shown."""

    UNSEEN = ("head", "style", "script", "title", "blockquote", "template")
    BLOCKS = ("p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "pre", "ul", "ol", "table")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.UNSEEN:
            self._unseen.append(tag)
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        if tag in self.BLOCKS and tag != "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(" ".join(data.split(" ")).replace("\n", " "))


def text_of(html: str) -> str:
    """Return the words of an HTML mail as plain text, without quotations."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

"""Uploads of Discourse: how its texts and addresses name them, in all the forms that it had.

upload://BASE62.png, /uploads/short-url/BASE62.png       the SHA-1 of the file, in base 62
/uploads/default/original/1X/SHA1.png                    also with the address of the site or of a store before it
/uploads/default/optimized/1X/SHA1_2_690x388.png         a smaller one of it
/uploads/default/13/0123456789abcdef.pdf                 before 2014
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from jeos.server.importing.records import File, file_link

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE = {digit: value for value, digit in enumerate(DIGITS)}
_SHORT = re.compile(r"(?:upload://|/uploads/short-url/)([0-9A-Za-z]{1,27})(?:\.\w{1,10})?\Z")
_LONG = re.compile(r"/(?:original|optimized)/(?:[\w-]{1,4}/){1,5}([0-9a-f]{40})(?:_[0-9x_]{1,24})?(?:\.\w{1,10})?\Z")
_MARKDOWN = re.compile(r"!?\[([^\[\]\n]{0,300})\]\(\s{0,9}([^\s()]{1,500})(?:\s{1,9}\"[^\"\n]{0,200}\")?\s{0,9}\)")
_IMAGE = re.compile(r"<img\b[^<>]{0,500}?\ssrc=[\"']([^\"'<>\s]{1,500})[\"'][^<>]{0,500}>", re.IGNORECASE)
_ANCHOR = re.compile(
    r"<a\b[^<>]{0,500}?\shref=[\"']([^\"'<>\s]{1,500})[\"'][^<>]{0,500}>([^<>]{0,300})</a>", re.IGNORECASE
)
_BARE = re.compile(r"(?<![^\s>])((?:https?:)?//[^\s()<>\"'/]{1,200}/[^\s()<>\"']{1,300})(?!\S)")


def sha1_of(address: str) -> str:
    """Return the SHA-1 that an address names, in hexadecimal; empty for none."""
    if short := _SHORT.search(address):
        value = 0
        for digit in short[1]:
            value = value * 62 + _VALUE[digit]
        return f"{value:040x}" if value < 1 << 160 else ""
    long = _LONG.search(address)
    return long[1] if long else ""


class Uploads:
    """The uploads of a dump, found by the addresses in its texts."""

    def __init__(self) -> None:
        self._all: dict[int, File] = {}
        self._by_sha1: dict[str, File] = {}
        self._by_path: dict[str, File] = {}
        self._given: set[int] = set()

    def add(self, file: File) -> None:
        """Take in an upload, whose `place` is its address."""
        path = urlsplit(file.place).path
        file = replace(file, place=path.partition("/uploads/")[2] or path.lstrip("/"))
        self._all[file.number] = file
        if file.key:
            self._by_sha1[file.key] = file
        if not file.key or file.key not in path:
            self._by_path[path] = file

    def numbered(self, number: int) -> File | None:
        """Return an upload by its number."""
        return self._all.get(number)

    def find(self, address: str) -> File | None:
        """Return the upload that an address names."""
        if address.startswith("upload://"):
            return self._by_sha1.get(sha1_of(address))
        try:
            path = urlsplit(address).path
        except ValueError:
            return None
        return self._by_sha1.get(sha1_of(path)) or self._by_path.get(path)

    def placed(self, text: str) -> tuple[str, tuple[int, ...]]:
        """Return a text in which files are links to their numbers, and these numbers."""
        used: dict[int, None] = {}

        def link(whole: str, address: str, words: str) -> str:
            found = self.find(address)
            if found is None:
                return whole
            used[found.number] = None
            return file_link(words.partition("|")[0] or found.name, found.number)

        text = _MARKDOWN.sub(lambda m: link(m[0], m[2], m[1]), text)
        text = _IMAGE.sub(lambda m: link(m[0], m[1], ""), text)
        text = _ANCHOR.sub(lambda m: link(m[0], m[1], m[2]), text)
        text = _BARE.sub(lambda m: link(m[0], m[1], ""), text)
        return text, tuple(used)

    def new(self, numbers: Iterable[int]) -> Iterator[File]:
        """Return those of some uploads that were not returned before."""
        for number in numbers:
            if number not in self._given:
                self._given.add(number)
                yield self._all[number]

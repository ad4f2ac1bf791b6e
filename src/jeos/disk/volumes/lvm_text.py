"""LVM2's metadata as text: sections with names, and keys with numbers, strings and lists.

    parse('vg { extent_size = 8192  status = ["READ"] }')      {"vg": {"extent_size": 8192, "status": ["READ"]}}
    render({"vg": {"extent_size": 8192}})                      'vg {\\nextent_size = 8192\\n}\\n'

After the grammar in LVM2's lib/config/config.c, as far as metadata uses it.
"""

import re

from jeos.core.errors import InputError

Value = int | float | str | list["Value"] | dict[str, "Value"]
Section = dict[str, Value]

DEPTH = 8  # sections within sections; metadata has four
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*                                  # what is skipped
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<number>[+-]?\d+(?:\.\d+)?(?![\w.+-]))
    |(?P<name>[A-Za-z0-9_.+/-]+)
    |(?P<sign>[{}\[\]=,])""",
    re.VERBOSE,
)


def damaged(what: str) -> InputError:
    """Return the error for metadata that is none."""
    return InputError(f"LVM's metadata is damaged: {what}", hint="`vgck` may tell more")


def parse(text: str) -> Section:
    """Return the sections of metadata. Raises InputError if it is not in this form."""
    return _Parser(text).section(closing="", depth=0)


def render(section: Section) -> str:
    """Return metadata as text, which `parse` reads as the same."""
    lines = []
    for name, value in section.items():
        lines.append(f"{name} {{\n{render(value)}}}\n" if isinstance(value, dict) else f"{name} = {_written(value)}\n")
    return "".join(lines)


def _written(value: Value) -> str:
    match value:
        case list():
            return f"[{', '.join(_written(one) for one in value)}]"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return str(value)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._at = 0

    @staticmethod
    def _split(text: str) -> list[tuple[str, str]]:
        tokens = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise damaged(f"{text[position : position + 20]!r} at character {position}")
            if match.lastgroup:
                tokens.append((match.lastgroup, match.group()))
            position = match.end()
        return tokens

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise damaged("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def section(self, *, closing: str, depth: int) -> Section:
        if depth > DEPTH:
            raise damaged(f"more than {DEPTH} sections within each other")
        found: Section = {}
        while self._at < len(self._tokens) or closing:
            kind, name = self._next()
            if kind == "sign" and name == closing:
                return found
            if kind == "sign":
                raise damaged(f"{name!r} in place of a name")
            _, sign = self._next()
            if sign == "{":
                found[name] = self.section(closing="}", depth=depth + 1)
            elif sign == "=":
                found[name] = self._value()
            else:
                raise damaged(f"{sign!r} behind {name!r}")
        return found

    def _value(self) -> Value:
        kind, word = self._next()
        if kind == "sign" and word == "[":
            return self._list()
        return self._plain(kind, word)

    def _list(self) -> Value:
        found: list[Value] = []
        while True:
            kind, word = self._next()
            if kind == "sign" and word == "]":
                return found
            if kind == "sign" and word == ",":
                continue
            found.append(self._plain(kind, word))

    @staticmethod
    def _plain(kind: str, word: str) -> Value:
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", word[1:-1])
        if kind == "number":
            if len(word) > 20:  # digits of 64 bits
                raise damaged(f"the number {word[:30]}…")
            return float(word) if "." in word else int(word)
        if kind == "name":
            return word
        raise damaged(f"{word!r} in place of a value")

"""Where each key of a TOML text stands: a map from paths to line numbers, which `tomllib` does not give.

    lines_of('a = 1\\n[[b]]\\nc = [\\n 2,\\n 3]\\n')[("b", 0, "c", 1)] == 5

A path holds the names of keys and, for arrays, positions from 0. The text must be one that `tomllib` accepts:
the scanner only follows strings, brackets and keys (TOML 1.0, https://toml.io/en/v1.0.0).
"""

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")  # blanks, line ends and comments
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
# Longest first: three quotes open a string of many lines, which may end with up to two quotes of its own.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each key, table and array element; the root `()` is on line 1."""
    return _Scanner(text).scan()


class _Scanner:
    """A cursor over the text, and the lines found so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.lines: dict[Path, int] = {(): 1}
        self.table_counts: dict[Path, int] = {}  # how many elements each array of tables has so far

    def scan(self) -> dict[Path, int]:
        """Follow the text from its beginning to its end."""
        table: Path = ()
        self.skip(_GAP)
        while self.at < len(self.text):
            table = self.header() if self.text[self.at] == "[" else self.pair(table)
            self.skip(_GAP)
        return self.lines

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Move behind what the pattern matches here, and return it."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match.group()

    def note(self, path: Path, line: int) -> None:
        """Remember the first line on which a path, and what it lies in, is named."""
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def line(self) -> int:
        """Return the number of the line that the cursor is on."""
        return bisect_right(self.line_starts, self.at)

    def header(self) -> Path:
        """Read `[table]` or `[[table]]` and return its path."""
        line, double = self.line(), self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        self.skip(_BLANK)
        *parents, last = self.key()
        self.at += 2 if double else 1
        path: Path = ()
        for part in parents:
            path = self.newest((*path, part))
        path = (*path, last)
        if double:
            self.note(path, line)
            self.table_counts[path] = self.table_counts.get(path, 0) + 1
        path = self.newest(path)
        self.note(path, line)
        return path

    def newest(self, path: Path) -> Path:
        """Return the path of the newest element, if the path is an array of tables."""
        count = self.table_counts.get(path)
        return path if count is None else (*path, count - 1)

    def pair(self, table: Path) -> Path:
        """Read `key = value` in a table, and return that table."""
        line = self.line()
        path = (*table, *self.key())
        self.note(path, line)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.value(path)
        return table

    def key(self) -> list[str]:
        """Read a key of one or more parts, with the blanks behind it."""
        parts = []
        while True:
            self.skip(_BLANK)
            quoted = self.skip(_STRING)
            parts.append(str(tomllib.loads(f"key = {quoted}")["key"]) if quoted else self.skip(_BARE_KEY))
            self.skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def value(self, path: Path) -> None:
        """Read a value, noting the elements and keys inside it."""
        first = self.text[self.at]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        elif not self.skip(_STRING):
            self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        """Read an array and note the line of each element."""
        self.at += 1
        position = 0
        self.skip(_GAP)
        while self.text[self.at] != "]":
            self.note((*path, position), self.line())
            self.value((*path, position))
            position += 1
            self.skip(_GAP)
            if self.text[self.at] == ",":
                self.at += 1
                self.skip(_GAP)
        self.at += 1

    def inline_table(self, path: Path) -> None:
        """Read an inline table and note the line of each key."""
        self.at += 1
        self.skip(_GAP)
        while self.text[self.at] != "}":
            self.pair(path)
            self.skip(_GAP)
            if self.text[self.at] == ",":
                self.at += 1
                self.skip(_GAP)
        self.at += 1

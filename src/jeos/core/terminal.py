"""What a terminal would obey, and texts without it: the words of a guest must not move a cursor or set a title.

    plain("\x1b]0;title\x07ready")     # "ready"

Source: ECMA-48, sections 5.3 and 5.4 (control sequences), 8.3.89 and the like (control strings).
"""

import codecs
import re

SEQUENCE = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # a control sequence: colours, moves, modes
    r"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # a control string: titles, clipboards, queries
    r"|[ -/]*[0-OQ-WYZ\\`-~])"  # anything shorter
)
# All of C0 and C1 but tab and newline, what turns the direction of writing, and halves of characters.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST = 4096  # characters of a sequence whose end is waited for


def plain(text: str) -> str:
    """Return a text of which a terminal shows all and obeys nothing but tabs and line ends."""
    return OBEYED.sub("?", SEQUENCE.sub("", text.replace("\r", "")))


class Plain:
    """The same for a stream of bytes in UTF-8, whose sequences may be cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """Return what may be shown so far; at the end, `final` gives the rest."""
        text = SEQUENCE.sub("", self._held + self._decoder.decode(data, final=final))
        cut = text.find("\x1b")  # what is left of them has no end yet
        whole = final or cut < 0 or "\n" in text[cut:] or len(text) - cut > LONGEST
        self._held = "" if whole else text[cut:]
        return plain(text if whole else text[:cut]).encode()

"""What somebody typed into the search box, taken apart.

parse('disk "boot order" -windows tag:uefi by:ada kind:thread')
"""

import re
from dataclasses import dataclass

TERMS = 12  # more words than this narrow nothing and cost much
LENGTH = 300  # characters of a query that are looked at
_PART = re.compile(r'(-?)(?:(tag|by|kind):(\S+)|"([^"]*)"|([^\s"]+))', re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['\u2019._-][^\W_]+)*")


@dataclass(frozen=True)
class Query:
    """Words and phrases that must occur, those that must not, and filters."""

    terms: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to search for."""
        return not self.terms and not self.tags and not self.authors


def parse(text: str) -> Query:
    """Take a query apart. Everything is legal; what makes no sense is a word."""
    found: dict[str, list[str]] = {"terms": [], "excluded": [], "tag": [], "by": [], "kind": []}
    for minus, name, value, phrase, word in _PART.findall(text[:LENGTH]):
        if name:
            found[name.lower()].append(value.lower().lstrip("@"))
            continue
        term = clean(phrase or word)
        if term:
            found["excluded" if minus else "terms"].append(term)
    return Query(
        terms=tuple(found["terms"][:TERMS]),
        excluded=tuple(found["excluded"][:TERMS]),
        tags=tuple(found["tag"][:TERMS]),
        authors=tuple(found["by"][:TERMS]),
        kinds=tuple(found["kind"][:TERMS]),
    )


def clean(term: str) -> str:
    """Return the words of a term, apart by single spaces: nothing that an index could take for its own syntax."""
    return " ".join(_WORD.findall(term))

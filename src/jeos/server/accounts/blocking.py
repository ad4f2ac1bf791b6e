"""What the site keeps out: domains of mail addresses and links, networks, words. Lists of administrators, on one row.

    blocking.is_blocked_network("192.0.2.7")
    blocking.word_in("Buy cheap ink")          # "cheap ink", or empty

Words are compared as wholes, whatever their case and Unicode form: a list is read into sequences of words once, and a
text is walked once, so that no text takes long however it is made.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from jeos.server.accounts import site
from jeos.server.accounts.models import LIST_LENGTH, Member, Site

LISTS = ("blocked", "networks", "words")  # fields of the row, each with one entry on each line
WIDEST = {4: 8, 6: 16}  # the shortest prefix of a network: a slip must not keep half of the world out
LONGEST_PHRASE = 8  # words
LONGEST_ENTRY = 100  # characters
_COMPILED = 4  # lists that a process keeps ready: the present one, and the one before while it changes


def network(text: str) -> str:
    """Return a network as it is kept; a single address is a network of one. Raises ValueError for what is none."""
    found = ipaddress.ip_network(text, strict=False)
    if found.prefixlen < WIDEST[found.version]:
        raise ValueError(f"{found} is too wide")
    return str(found)


def phrase(text: str) -> str:
    """Return words as they are kept: folded, with single spaces. Raises ValueError for none, and for too many."""
    words = folded(text)
    if not 1 <= len(words) <= LONGEST_PHRASE or len(text) > LONGEST_ENTRY:
        raise ValueError(f"{text[:LONGEST_ENTRY]} is no word or phrase")
    return " ".join(words)


def folded(text: str) -> list[str]:
    """Return the words of a text, folded (Unicode, section 3.13, D146), without characters that nobody sees."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text).casefold())
    kinds = {character: unicodedata.category(character) for character in set(plain)}
    table = {ord(character): None if kind == "Cf" else " " for character, kind in kinds.items() if kind[0] not in "LMN"}
    return plain.translate(table).split()


@lru_cache(maxsize=_COMPILED)
def _heads(text: str) -> Mapping[tuple[int, int], frozenset[int]]:
    """Return the beginnings of networks by version and length, so that few looks decide about an address."""
    heads: dict[tuple[int, int], set[int]] = defaultdict(set)
    for line in text.split():
        found = ipaddress.ip_network(line)
        heads[found.version, found.prefixlen].add(int(found.network_address) >> (found.max_prefixlen - found.prefixlen))
    return {key: frozenset(values) for key, values in heads.items()}


@dataclass(frozen=True)
class _Phrases:
    """A list of words and phrases, to be looked for at each word of a text."""

    all: frozenset[tuple[str, ...]]
    first: frozenset[str]
    lengths: tuple[int, ...]


@lru_cache(maxsize=_COMPILED)
def _phrases(text: str) -> _Phrases:
    """Return a list ready to be looked for."""
    found = frozenset(tuple(line.split()) for line in text.splitlines())
    return _Phrases(found, frozenset(one[0] for one in found), tuple(sorted({len(one) for one in found})))


def is_blocked_mail(email: str) -> bool:
    """Tell whether an address is of a mail domain, or of a part of one, that the site takes no members from."""
    return is_blocked_domain(email.rpartition("@")[2])


def is_blocked_domain(name: str) -> bool:
    """Tell whether a domain is one that the site has nothing to do with, or a part of one."""
    domain = name.lower().rstrip(".")
    return any(domain == one or domain.endswith(f".{one}") for one in site.current().blocked.split())


def is_blocked_network(address: str) -> bool:
    """Tell whether an address is of a network from which nobody joins or writes; what is no address is of none."""
    heads = _heads(site.current().networks)
    if not heads:
        return False
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(
        version == found.version and int(found) >> (found.max_prefixlen - length) in values
        for (version, length), values in heads.items()
    )


def check_network(address: str, member: Member | None) -> None:
    """Raise PermissionDenied where nobody joins or writes; moderators may, so that a slip locks none of them out."""
    if (member is None or not member.moderates) and is_blocked_network(address):
        raise PermissionDenied(
            _("Nobody joins or writes from your network at present. Try another one, or ask those who run this site.")
        )


def has_words() -> bool:
    """Tell whether there are blocked words at all."""
    return bool(site.current().words)


def word_in(*parts: str) -> str:
    """Return the first blocked word or phrase in parts of a text, as it is kept; empty if there is none."""
    phrases = _phrases(site.current().words)
    if not phrases.all:
        return ""
    for part in parts:
        words = folded(part)
        for place, word in enumerate(words):
            if word in phrases.first:
                here = [tuple(words[place : place + length]) for length in phrases.lengths]
                found = next((one for one in here if one in phrases.all), ())
                if found:
                    return " ".join(found)
    return ""


@transaction.atomic
def change(name: str, *, added: Sequence[str] = (), removed: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Add entries to a list and remove others; return those that were not there, and those that were.

    Raises ValueError for a list that there is not, and for one that grows too long.
    """
    if name not in LISTS:
        raise ValueError(f"there is no list {name}")
    row = Site.objects.select_for_update().order_by("pk").first() or Site()
    before = set(getattr(row, name).splitlines())
    after = (before | set(added)) - set(removed)
    text = "\n".join(sorted(after))
    if len(text) > LIST_LENGTH:
        raise ValueError(f"the list {name} has {len(text)} characters")
    setattr(row, name, text)
    row.save()
    transaction.on_commit(site.forget)
    site.forget()
    return sorted(after - before), sorted(before - after)

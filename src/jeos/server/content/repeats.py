"""Texts that are written again: who pastes the same text into many places is looked at before others see it.

What is kept is a digest of a text's letters, as one of the counts of `limits`, for some days; nothing of the text.
"""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import limits

SHORTEST = 60  # letters and digits: short answers are often the same
SPAN = 2 * limits.DAY  # seconds
_NO_WORD = re.compile(r"[\W_]+")


def again(author: Member, source: str, *, now: float | None = None) -> bool:
    """Count a text, and tell whether anybody has written it within two days. Members whom the site knows may."""
    if author.moderates or author.trust >= Trust.KNOWN:
        return False
    letters = _NO_WORD.sub("", unicodedata.normalize("NFKC", source).lower())
    if len(letters) < SHORTEST:
        return False
    moment = int(time.time() if now is None else now)
    digest = hashlib.blake2b(letters.encode(errors="replace"), digest_size=24).hexdigest()
    return limits.count(f"text:{digest}", "same-text", moment - moment % SPAN) > 1

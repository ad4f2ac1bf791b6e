"""The token of a page's forms: Django's own, masked anew for each page, in a tenth of the time.

Django draws each of the 32 letters of a mask from the system by itself; here all come with one call. Each page has
another mask, so that what a page compresses to tells nothing of the secret (BREACH).
"""

from __future__ import annotations

import secrets

from django.http import HttpRequest
from django.middleware.csrf import CSRF_ALLOWED_CHARS, CSRF_SECRET_LENGTH, get_token

LETTERS = CSRF_ALLOWED_CHARS.encode()
COUNT = len(LETTERS)
FAIR = 256 - 256 % COUNT  # bytes below are each letter equally often
UNFAIR = bytes(range(FAIR, 256))
PLACE = {letter: place for place, letter in enumerate(CSRF_ALLOWED_CHARS)}


def of(request: HttpRequest) -> str:
    """Return a token for the forms of a page; a visitor who has no secret yet is given one."""
    secret = request.META.get("CSRF_COOKIE")
    if secret is None or len(secret) != CSRF_SECRET_LENGTH:
        return get_token(request)
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = True  # as `get_token` does: the cookie lasts from its last use
    return masked(secret)


def masked(secret: str) -> str:
    """Return a mask and the secret under it (`_mask_cipher_secret` of Django's `middleware/csrf.py`)."""
    mask = b""
    while len(mask) < CSRF_SECRET_LENGTH:
        mask = secrets.token_bytes(CSRF_SECRET_LENGTH + 16).translate(None, UNFAIR)[:CSRF_SECRET_LENGTH]
    cipher = bytes(LETTERS[(PLACE[letter] + byte) % COUNT] for letter, byte in zip(secret, mask, strict=True))
    return (bytes(LETTERS[byte % COUNT] for byte in mask) + cipher).decode()

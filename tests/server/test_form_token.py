"""Tokens of forms are what Django's middleware takes, and no two are alike."""

from collections import Counter

from django.middleware import csrf
from django.test import RequestFactory

from jeos.server import form_token

unmasked = csrf._unmask_cipher_token  # type: ignore[attr-defined] # the stubs know its public names only
matches = csrf._does_token_match  # type: ignore[attr-defined]


def test_tokens_hide_the_secret_under_masks_of_all_letters() -> None:
    secret = csrf._get_new_csrf_string()
    tokens = [form_token.masked(secret) for _ in range(400)]
    assert len(set(tokens)) == len(tokens)
    assert {unmasked(token) for token in tokens} == {secret}
    assert all(matches(token, secret) for token in tokens)
    assert not matches(form_token.masked(csrf._get_new_csrf_string()), secret)
    counted = Counter("".join(token[:32] for token in tokens))  # 12,800 letters, 206 of each
    assert set(counted) == set(csrf.CSRF_ALLOWED_CHARS) and max(counted.values()) < 2 * min(counted.values())


def test_visitor_without_a_secret_is_given_one_that_stays() -> None:
    request = RequestFactory().get("/")
    first = form_token.of(request)
    assert request.META["CSRF_COOKIE_NEEDS_UPDATE"] is True
    del request.META["CSRF_COOKIE_NEEDS_UPDATE"]
    second = form_token.of(request)
    assert request.META["CSRF_COOKIE_NEEDS_UPDATE"] is True
    assert first != second and unmasked(first) == unmasked(second) == request.META["CSRF_COOKIE"]

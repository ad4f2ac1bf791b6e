"""The frame around all pages: health, headers, errors, languages."""

import pytest

from jeos.server.accounts.models import Member
from server_site import signed_in

pytestmark = pytest.mark.django_db


def test_health_answers_without_a_session() -> None:
    answer = signed_in(None).get("/healthz")
    assert (answer.status_code, answer.content, answer.cookies.keys()) == (200, b"ok\n", {}.keys())


def test_pages_allow_no_inline_script_and_no_frame() -> None:
    headers = signed_in(None).get("/").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_page_that_is_not_there_says_so_in_the_site_frame(ada: Member) -> None:
    for client in (signed_in(None), signed_in(ada)):
        answer = client.get("/nothing/here/")
        assert answer.status_code == 404
        assert "There is nothing at this address" in answer.content.decode()


@pytest.mark.parametrize(
    ("header", "language"), [("fr-CH,fr;q=0.9", "fr"), ("pl,de;q=0.5", "de"), ("pl", "en"), ("", "en"), ("x;q=y", "en")]
)
def test_page_is_in_a_language_that_the_browser_wants(header: str, language: str) -> None:
    answer = signed_in(None).get("/", headers={"accept-language": header})
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.content.decode()

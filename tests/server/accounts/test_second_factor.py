"""A second factor from an application: set up, asked for, wrong, used twice, and replaced by a recovery code."""

import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal import auth
from django.test import Client

from authenticator import STEP, code
from jeos.server.accounts import registration
from jeos.server.accounts.models import Member
from server_site import signed_in

pytestmark = pytest.mark.django_db
PASSPHRASE = "correct horse"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], float]:
    """Return what moves the clock of codes on by so many steps."""
    now = [time.time()]
    monkeypatch.setattr(auth.time, "time", lambda: now[0])

    def move(steps: int) -> float:
        now[0] += steps * STEP
        return now[0]

    return move


def enrolled(member: Member, moment: float) -> str:
    """Set a second factor up by the pages, and return its secret."""
    client = signed_in(member)
    answer = client.get("/accounts/2fa/totp/activate/", follow=True)
    assert "/accounts/reauthenticate/" in answer.redirect_chain[-1][0]
    client.post("/accounts/reauthenticate/", {"password": PASSPHRASE})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    found = re.search(r'value="([A-Z2-7]{32})"', page)
    assert found is not None
    wrong = client.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert wrong.status_code == 200
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code(found[1], moment)})
    assert answer.status_code == 302
    return found[1]


def asked(member: Member) -> Client:
    """Sign in with the passphrase, and return the browser that is asked for a code."""
    client = Client()
    answer = client.post("/accounts/login/", {"login": member.handle, "password": PASSPHRASE})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/authenticate/")
    assert client.get("/settings/").status_code == 302
    return client


def test_passphrase_alone_does_not_pass_by_a_second_factor(ada: Member, clock: Callable[[int], float]) -> None:
    registration.confirm(ada)
    secret = enrolled(ada, clock(0))
    client, second = asked(ada), asked(ada)
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    moment = clock(5)
    for browser, passes in ((client, True), (second, False)):  # a code that was seen is of no use to another
        browser.post("/accounts/2fa/authenticate/", {"code": code(secret, moment)})
        assert (browser.get("/settings/").status_code == 200) is passes


def test_recovery_code_opens_once(ada: Member, clock: Callable[[int], float]) -> None:
    registration.confirm(ada)
    secret = enrolled(ada, clock(0))
    client = asked(ada)
    client.post("/accounts/2fa/authenticate/", {"code": code(secret, clock(5))})
    client.post("/accounts/reauthenticate/", {"password": PASSPHRASE})
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    first = re.findall(r"\b\d{8}\b", page.partition("<textarea")[2])[0]
    for passes in (True, False):
        browser = asked(ada)
        browser.post("/accounts/2fa/authenticate/", {"code": first})
        assert (browser.get("/settings/").status_code == 200) is passes

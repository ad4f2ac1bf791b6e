"""Signing in through a provider of OpenID Connect: a real one, which runs beside the tests."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

import oidc_provider
from jeos.core.errors import NetworkError, TrustError
from jeos.server.accounts import registration, site
from jeos.server.accounts.models import Entry, Member, Role
from jeos.server.accounts.organisations import discovery, tokens
from jeos.server.jobs.models import Mail
from jeos.server.sign_in import Groups, Provider, SignIn
from oidc_provider import Person, Running
from server_site import count_queries, signed_in, statuses

pytestmark = pytest.mark.django_db
BACK = "http://testserver/accounts/oidc/example/login/callback/"
PASSPHRASE = "a long enough passphrase"
PEOPLE = (
    Person("newcomer", "newcomer@example.org"),
    Person("ada", "ada@mail.example"),
    Person("squatter", "ada@mail.example", confirmed=False),
    Person("unsure", "unsure@example.org", confirmed=False),
    Person("nomail"),
    Person("helper", "helper@example.org", groups=("helpers", "staff")),
    Person("chief", "chief@example.org", groups=("chiefs",)),
    Person("root", "root@example.org"),
)


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Let no test count against the limits of another: one mail to an address in three minutes."""
    cache.clear()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with oidc_provider.running(people=PEOPLE, redirects=[BACK]) as provider:
        yield provider


@pytest.fixture
def example(running: Running, settings: Settings) -> Provider:
    """Let the exchange know the provider."""
    discovery.forget()
    made = Provider("example", "Example Ltd.", running.issuer, running.client_id, running.secret)
    settings.SIGN_IN = SignIn(providers=(made,))
    return made


def configure(settings: Settings, provider: Provider, *, passphrases: bool = True) -> None:
    settings.SIGN_IN = SignIn(passphrases=passphrases, providers=(provider,))


def leave(client: Client, *, process: str = "login", back: str = "") -> str:
    """Press the button; return the address to which the browser is sent."""
    answer = client.post("/accounts/oidc/example/login/", {"process": process, "next": back})
    assert answer.status_code == 200, answer.content.decode()
    (address,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.content.decode())
    return unescape(address)


def come(client: Client, running: Running, handle: str, **options: str) -> HttpResponse:
    """Sign in with the account that somebody has at the provider."""
    back = running.walk(leave(client, **options), handle=handle)
    assert back.startswith(BACK)
    answer: HttpResponse = client.get(back.removeprefix("http://testserver"))  # type: ignore[assignment]
    return answer


def who(client: Client) -> str:
    """Return the handle of whoever is signed in."""
    found = client.session.get("_auth_user_id")
    return Member.objects.get(pk=found).handle if found else ""


def test_button_leads_to_the_provider_with_state_nonce_and_pkce(example: Provider) -> None:
    client = Client()
    page = client.get("/accounts/login/?next=/forum/").content.decode()
    assert "Sign in with Example Ltd." in page
    assert '<input type="hidden" name="next" value="/forum/">' in page
    first, second = leave(client), leave(client)
    asked = parse_qs(urlsplit(first).query)
    assert first.startswith(f"{example.issuer}/identity/o/authorize?")
    assert sorted(asked) == [
        *("client_id", "code_challenge", "code_challenge_method", "nonce"),
        *("redirect_uri", "response_type", "scope", "state"),
    ]
    assert (asked["code_challenge_method"], asked["redirect_uri"]) == (["S256"], [BACK])
    again = parse_qs(urlsplit(second).query)
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))


def test_link_of_another_site_neither_starts_nor_changes_anything(example: Provider) -> None:
    address = "/accounts/oidc/example/login/?scope=all&auth_params=prompt%3Dnone"
    assert "refresh" not in Client().get(address).content.decode()  # asks for a press on a button
    answer = Client(enforce_csrf_checks=True).post(address)
    assert answer.status_code == 403
    sent = unescape(Client().post(address).content.decode())
    assert "prompt" not in sent
    assert "scope=openid+profile+email&" in sent


def test_newcomer_gets_an_account_with_a_confirmed_address(example: Provider, running: Running) -> None:
    client = Client()
    answer = come(client, running, "newcomer", back="/forum/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/forum/")
    member = Member.objects.get(handle="newcomer")
    assert (who(client), member.name, member.role) == ("newcomer", "Newcomer Example", Role.MEMBER)
    assert (member.email, member.has_usable_password()) == ("newcomer@example.org", False)
    assert EmailAddress.objects.get(user=member).verified
    kept = SocialAccount.objects.get(user=member)
    assert sorted(kept.extra_data) == ["email", "name", "preferred_username", "sub"]
    assert Mail.objects.count() == 0
    again = Client()
    come(again, running, "newcomer")
    assert (who(again), Member.objects.count()) == ("newcomer", 1)


def test_handle_that_cannot_be_is_replaced(example: Provider, running: Running) -> None:
    client = Client()
    come(client, running, "root")
    assert who(client) == "root-2"


def test_address_that_the_provider_has_not_confirmed_must_be_confirmed_here(
    example: Provider, running: Running
) -> None:
    client = Client()
    answer = come(client, running, "unsure")
    assert (answer.headers["Location"], who(client)) == ("/accounts/confirm-email/", "")
    (mail,) = Mail.objects.all()
    assert mail.recipient == "unsure@example.org"


def test_provider_whose_addresses_are_trusted_needs_not_say_so(
    example: Provider, running: Running, settings: Settings
) -> None:
    configure(settings, replace(example, trust_addresses=True))
    client = Client()
    come(client, running, "unsure")
    assert who(client) == "unsure"


@pytest.mark.parametrize("entry", [Entry.OPEN, Entry.INVITED, Entry.CLOSED])
def test_account_without_an_address_is_asked_for_one(example: Provider, running: Running, entry: Entry) -> None:
    site.change(name="", entry=entry, review=False)  # an organisation vouches for its people
    client = Client()
    answer = come(client, running, "nomail")
    assert answer.headers["Location"] == "/accounts/3rdparty/signup/"
    page = client.get("/accounts/3rdparty/signup/")
    assert '<header class="top">' in page.content.decode()
    data = {"email": "no@example.org", "username": "nomail"}
    assert client.post("/accounts/3rdparty/signup/", data).headers["Location"] == "/accounts/confirm-email/"
    assert (who(client), Member.objects.get().handle) == ("", "nomail")


def test_account_with_the_same_address_is_not_taken_over(ada: Member, example: Provider, running: Running) -> None:
    registration.confirm(ada)
    client = Client()
    answer = come(client, running, "ada")
    assert answer.status_code == 409
    assert "There is an account with your address already." in answer.content.decode()
    assert (who(client), SocialAccount.objects.count(), Member.objects.count()) == ("", 0, 1)


@pytest.mark.parametrize("link", [False, True])
def test_unconfirmed_address_of_another_opens_nothing_and_tells_nothing(
    ada: Member, example: Provider, running: Running, settings: Settings, link: bool
) -> None:
    registration.confirm(ada)
    configure(settings, replace(example, link_by_address=link))
    client = Client()
    answer = come(client, running, "squatter")
    assert answer.headers["Location"] == "/accounts/confirm-email/"  # as if the address were new
    assert (who(client), SocialAccount.objects.count(), Member.objects.count()) == ("", 0, 1)
    (mail,) = Mail.objects.all()
    assert mail.recipient == "ada@mail.example"  # its owner learns of it


@pytest.mark.parametrize("confirmed", [True, False])
def test_addresses_link_only_if_both_sides_have_confirmed_them(
    ada: Member, example: Provider, running: Running, settings: Settings, confirmed: bool
) -> None:
    if confirmed:
        registration.confirm(ada)
    configure(settings, replace(example, link_by_address=True))
    client = Client()
    come(client, running, "ada")
    assert who(client) == ("ada" if confirmed else "")
    assert SocialAccount.objects.filter(user=ada).count() == int(confirmed)
    ada.refresh_from_db()
    assert ada.check_password("correct horse")


def test_member_connects_and_disconnects(ada: Member, example: Provider, running: Running) -> None:
    registration.confirm(ada)
    client = signed_in(ada)
    assert "Connect Example Ltd." in client.get("/settings/organisations/").content.decode()
    answer = come(client, running, "helper", process="connect")
    assert answer.headers["Location"] == "/settings/organisations/"
    page = client.get("/settings/organisations/").content.decode()
    assert re.search(r"Example Ltd\.</h2>\s*<p class=\"meta\">helper ·", page)
    other = Client()
    come(other, running, "helper")
    assert who(other) == "ada"
    account = SocialAccount.objects.get(user=ada)
    told = b"".join(client.post("/settings/data/download/").streaming_content)  # type: ignore[attr-defined]
    assert f'"organisation": "example", "account": "{account.uid}"'.encode() in told
    client.post(f"/settings/organisations/{account.pk}/disconnect/")
    assert SocialAccount.objects.count() == 0


def test_account_of_another_is_neither_connected_nor_disconnected(
    ada: Member, bob: Member, example: Provider, running: Running
) -> None:
    registration.confirm(bob)
    come(signed_in(bob), running, "helper", process="connect")
    account = SocialAccount.objects.get()
    client = signed_in(ada)
    come(client, running, "helper", process="connect")
    assert (SocialAccount.objects.get().user, who(client)) == (bob, "ada")
    assert client.post(f"/settings/organisations/{account.pk}/disconnect/").status_code == 404
    assert SocialAccount.objects.count() == 1


def test_only_way_to_sign_in_stays(example: Provider, running: Running) -> None:
    client = Client()
    come(client, running, "newcomer")
    answer = client.post(f"/settings/organisations/{SocialAccount.objects.get().pk}/disconnect/", follow=True)
    assert "It is your only way to sign in." in answer.content.decode()
    assert SocialAccount.objects.count() == 1


def test_groups_give_and_take_roles_and_keep_others_out(
    example: Provider, running: Running, settings: Settings
) -> None:
    groups = Groups(moderators=frozenset({"helpers"}), administrators=frozenset({"chiefs"}))
    configure(settings, replace(example, groups=groups))
    come(Client(), running, "helper")
    come(Client(), running, "chief")
    assert Member.objects.get(handle="helper").role == Role.MODERATOR
    assert Member.objects.get(handle="chief").role == Role.ADMINISTRATOR
    Member.objects.filter(handle="helper").update(role=Role.ADMINISTRATOR)
    come(Client(), running, "helper")
    assert Member.objects.get(handle="helper").role == Role.MODERATOR
    configure(settings, replace(example, groups=Groups(allowed=frozenset({"chiefs"}))))
    client = Client()
    answer = come(client, running, "helper")
    assert answer.status_code == 403
    assert "Your account at Example Ltd. is not meant for this site." in answer.content.decode()
    assert who(client) == ""


def test_role_follows_only_the_groups_that_decide_about_it() -> None:
    both = Groups(moderators=frozenset("m"), administrators=frozenset("a"))
    one = Groups(moderators=frozenset("m"))
    given = [both.role(groups, now=now) for groups in ("", "m", "a", "am") for now in Role]
    assert given == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert [one.role(groups, now=now) for groups in ("", "m") for now in Role] == [0, 0, 2, 1, 1, 2]
    assert [Groups().role("am", now=now) for now in Role] == [0, 1, 2]


def test_second_factor_is_asked_for_all_the_same(ada: Member, example: Provider, running: Running) -> None:
    registration.confirm(ada)
    come(signed_in(ada), running, "helper", process="connect")
    TOTP.activate(ada, generate_totp_secret())
    assert Authenticator.objects.filter(user=ada).exists()
    client = Client()
    answer = come(client, running, "helper")
    assert (answer.headers["Location"], who(client)) == ("/accounts/2fa/authenticate/", "")


def test_account_that_is_closed_here_stays_closed(example: Provider, running: Running) -> None:
    come(Client(), running, "newcomer")
    Member.objects.update(is_active=False)
    client = Client()
    answer = come(client, running, "newcomer")
    assert (answer.headers["Location"], who(client)) == ("/accounts/inactive/", "")


def test_nobody_is_made_where_the_provider_signs_up_nobody(
    example: Provider, running: Running, settings: Settings
) -> None:
    configure(settings, replace(example, sign_up=False))
    come(Client(), running, "newcomer")
    assert Member.objects.count() == 0


def test_answer_counts_once_and_only_in_the_browser_that_asked(example: Provider, running: Running) -> None:
    client, other = Client(), Client()
    back = running.walk(leave(client), handle="newcomer").removeprefix("http://testserver")
    leave(other)
    for browser, address in ((other, back), (client, re.sub(r"state=[^&]+", "state=guessed", back))):
        answer = browser.get(address)
        assert (answer.status_code, who(browser)) == (403, "")
        assert "This attempt to sign in has ended" in answer.content.decode()
    client.get(back)
    assert who(client) == "newcomer"
    assert client.get(back).status_code == 403


def test_code_of_another_attempt_is_worth_nothing(example: Provider, running: Running) -> None:
    client, thief = Client(), Client()
    stolen = parse_qs(urlsplit(running.walk(leave(client), handle="newcomer")).query)["code"][0]
    own = parse_qs(urlsplit(leave(thief)).query)["state"][0]
    answer = thief.get("/accounts/oidc/example/login/callback/", {"state": own, "code": stolen})
    assert (answer.status_code, who(thief)) == (503, "")  # the provider refuses it: another verifier (PKCE)


def test_answer_of_another_provider_is_not_believed(example: Provider, running: Running) -> None:
    client = Client()
    back = running.walk(leave(client), handle="newcomer").removeprefix("http://testserver")
    address = re.sub(r"&iss=[^&]+", "", back) + "&iss=https://other.example"
    answer = client.get(address)
    assert (answer.status_code, who(client)) == (403, "")
    assert "could not be believed" in answer.content.decode()


@contextmanager
def real_token(example: Provider, running: Running) -> Iterator[tuple[str, str]]:
    """Yield a token that the provider signed, and its nonce."""
    challenge = tokens.Challenge.make()
    address = tokens.leave_for(example, challenge, state="x", back=BACK)
    code = parse_qs(urlsplit(running.walk(address, handle="newcomer")).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": challenge.verifier,
        "client_id": example.client_id,
        "client_secret": example.secret,
    }
    answer = discovery.ask(example, "POST", discovery.of(example).token, form=form)
    yield str(answer["id_token"]), challenge.nonce


def test_token_holds_for_one_browser_client_and_issuer_only(example: Provider, running: Running) -> None:
    with real_token(example, running) as (token, nonce):
        assert tokens.verified(example, token, nonce=nonce)["sub"]
        with pytest.raises(TrustError, match="another attempt"):
            tokens.verified(example, token, nonce="another")
        with pytest.raises(TrustError, match="does not hold"):
            tokens.verified(replace(example, client_id="another"), token, nonce=nonce)
        head, body, signature = token.split(".")
        bent = f"{head}.{body}.{signature[:-8]}{'A' * 8}"
        with pytest.raises(TrustError, match="does not hold"):
            tokens.verified(example, bent, nonce=nonce)
        with pytest.raises(TrustError, match="signed with none"):
            tokens.verified(example, f"eyJhbGciOiJub25lIn0.{body}.", nonce=nonce)


def test_wrong_secret_is_said_in_the_log_and_not_shown(
    example: Provider, running: Running, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    configure(settings, replace(example, secret="another"))
    client = Client()
    answer = come(client, running, "newcomer")
    assert (answer.status_code, who(client)) == (503, "")
    assert "invalid_client" in caplog.text
    assert "another" not in caplog.text + answer.content.decode() + repr(settings.SIGN_IN)


def test_provider_that_is_down_is_said_in_the_page(settings: Settings) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        issuer = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        configure(settings, Provider("example", "Example Ltd.", issuer, "exchange", ""))
        discovery.forget()
        assert Client().get("/accounts/login/").status_code == 200  # a page that is read asks nobody
        answer = Client().post("/accounts/oidc/example/login/")
    assert answer.status_code == 503
    assert "Example Ltd. does not answer at present." in answer.content.decode()


def test_provider_that_calls_itself_something_else_is_not_believed(example: Provider, settings: Settings) -> None:
    with pytest.raises(TrustError, match="calls itself"):
        discovery.of(replace(example, issuer=f"{example.issuer}/"))
    with pytest.raises(NetworkError, match="answered 404"):
        discovery.of(replace(example, issuer=f"{example.issuer}/realms/none"))


def test_passphrases_are_closed_where_organisations_alone_decide(
    ada: Member, example: Provider, running: Running, settings: Settings
) -> None:
    registration.confirm(ada)
    configure(settings, replace(example, link_by_address=True), passphrases=False)
    settings.MFA_PASSKEY_LOGIN_ENABLED = False
    page = Client().get("/accounts/login/").content.decode()
    assert "Sign in with Example Ltd." in page
    assert not re.search(r'name="password"|passkey|signup', page)
    client = Client()
    client.post("/accounts/login/", {"login": "ada", "password": "correct horse"})
    assert who(client) == ""
    for closed in ("signup/", "password/reset/", "password/change/", "password/set/"):
        assert signed_in(ada).get(f"/accounts/{closed}").headers["Location"] == "/accounts/login/"
    client.post("/accounts/signup/", {"email": "x@mail.example", "username": "xx", "password1": PASSPHRASE})
    assert Member.objects.count() == 1
    come(client, running, "ada")
    assert who(client) == "ada"


def test_claim_with_groups_may_be_a_path(example: Provider) -> None:
    claims = {"realm_access": {"roles": ["a", "b"]}, "one": "c", "https://x.example/groups": ["d"]}
    for claim, groups in (
        ("realm_access.roles", {"a", "b"}),
        ("one", {"c"}),
        ("https://x.example/groups", {"d"}),
        ("realm_access.none", set()),
        ("one.two", set()),
    ):
        assert tokens.groups(replace(example, groups_claim=claim), claims) == groups


def test_pages_are_for_those_whom_they_are_for(people: dict[str, Client], example: Provider) -> None:
    assert statuses(people, "/settings/organisations/") == [401, 200, 200, 200, 200]
    assert statuses(people, "/settings/organisations/1/disconnect/", {}) == [401, 404, 404, 404, 404]
    assert statuses(people, "/accounts/oidc/nobody/login/", {}) == [404] * 5


def test_queries_do_not_grow_with_providers_and_connections(ada: Member, example: Provider, settings: Settings) -> None:
    registration.confirm(ada)
    page, entrance = "/settings/organisations/", "/accounts/login/"
    SocialAccount.objects.create(user=ada, provider="example", uid="0")
    few = (count_queries(signed_in(ada), page), count_queries(Client(), entrance))
    settings.SIGN_IN = SignIn(providers=tuple(replace(example, name=f"p{n}") for n in range(9)))
    SocialAccount.objects.bulk_create(SocialAccount(user=ada, provider=f"p{n}", uid="0") for n in range(9))
    assert (count_queries(signed_in(ada), page), count_queries(Client(), entrance)) == few


def test_who_leaves_is_forgotten_by_the_connection_too(ada: Member, example: Provider) -> None:
    SocialAccount.objects.create(user=ada, provider="example", uid="0")
    signed_in(ada).post("/settings/data/", {"handle": "ada"})
    assert SocialAccount.objects.count() == 0

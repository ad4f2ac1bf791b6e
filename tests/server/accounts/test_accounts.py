"""Accounts: signing up and in, tokens, taking one's data along, leaving."""

import html
import json
import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from jeos.server.accounts import registration
from jeos.server.accounts.adapter import Adapter
from jeos.server.accounts.models import Member, Pace, Role, Token
from jeos.server.content.models import Draft, Following
from jeos.server.forum import posting
from jeos.server.forum.models import Category
from jeos.server.jobs.models import Mail
from server_site import signed_in

pytestmark = pytest.mark.django_db
PASSPHRASE = "a long enough passphrase"
SIGN_UP = {"email": "new@mail.example", "username": "Newcomer", "password1": PASSPHRASE}


def test_account_is_usable_when_its_address_is_confirmed() -> None:
    client = Client()
    assert client.post("/accounts/signup/", SIGN_UP).status_code == 302
    member = Member.objects.get(handle="newcomer")
    assert member.role == Role.MEMBER
    assert client.get("/settings/").status_code == 302  # not signed in yet
    (mail,) = Mail.objects.all()
    assert mail.recipient == "new@mail.example"
    (path,) = re.findall(r"http://testserver(/accounts/confirm-email/\S+)", bytes(mail.message).decode())
    client.post(path)
    assert EmailAddress.objects.get(user=member).verified
    client.post("/accounts/login/", {"login": "newcomer", "password": PASSPHRASE})
    assert client.get("/settings/").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"username": "admin"},
        {"username": "left-3"},
        {"username": "x"},
        {"username": "two words"},
        {"username": "Ada"},
        {"username": "-dash"},
        {"username": "ünder"},
        {"username": "a" * 31},
        {"password1": "short"},
        {"password1": "1234567890"},
        {"email": "nonsense"},
        {"website": "http://spam.example"},  # people do not see this field
    ],
)
def test_account_that_cannot_be_is_not_made(ada: Member, change: dict[str, str]) -> None:
    Client().post("/accounts/signup/", {**SIGN_UP, **change})
    assert Member.objects.exclude(pk=ada.pk).count() == 0


def test_sign_up_does_not_tell_who_has_an_account(ada: Member) -> None:
    answer = Client().post("/accounts/signup/", {**SIGN_UP, "email": ada.email or ""})
    other = Client().post("/accounts/signup/", SIGN_UP)
    assert (answer.status_code, answer.headers["Location"]) == (other.status_code, other.headers["Location"])


@pytest.mark.parametrize("page", ["login/", "signup/", "password/reset/"])
def test_page_for_strangers_is_in_the_frame_of_the_site(page: str) -> None:
    text = Client().get(f"/accounts/{page}").content.decode()
    assert '<header class="top">' in text
    assert "&lt;header" not in text


@pytest.mark.parametrize("page", ["email/", "password/change/", "2fa/", "sessions/", "logout/", "reauthenticate/"])
def test_page_of_an_account_is_in_the_frame_of_the_site(ada: Member, page: str) -> None:
    answer = signed_in(ada).get(f"/accounts/{page}")
    assert answer.status_code == 200
    assert '<header class="top">' in answer.content.decode()


def test_first_administrator_is_made_and_another_member_becomes_one(ada: Member) -> None:
    assert registration.make_administrator("first", "first@mail.example", passphrase=PASSPHRASE) is True
    assert registration.make_administrator("ada", "ignored@mail.example", passphrase=PASSPHRASE) is False
    rows = Member.objects.filter(role=Role.ADMINISTRATOR).order_by("handle").values_list("handle", "email")
    assert list(rows) == [("ada", "ada@mail.example"), ("first", "first@mail.example")]
    client = Client()
    client.post("/accounts/login/", {"login": "first@mail.example", "password": PASSPHRASE})
    assert client.get("/moderation/").status_code == 200
    with pytest.raises(ValidationError):
        registration.make_administrator("Not a handle", "x@mail.example", passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    ("texts", "handle"),
    [
        (["Ada L.", "x@y"], "ada-l"),
        (["ada"], "ada-2"),
        (["", "ö"], "member"),
        (["root"], "root-2"),
        (["a@b"], "member"),
    ],
)
def test_handle_for_a_foreign_account_is_free_and_close(ada: Member, texts: list[str | None], handle: str) -> None:
    assert Adapter().generate_unique_username(texts) == handle


def test_token_is_shown_once_and_found_by_its_text(ada: Member, bob: Member) -> None:
    client = signed_in(ada)
    text = client.post("/settings/tokens/", {"name": "script", "writes": "on", "days": "30"}).content.decode()
    (secret,) = re.findall(r"jeos_[A-Za-z0-9_-]{40,}", text)
    assert secret not in client.get("/settings/tokens/").content.decode()
    token = Token.find(secret, now=timezone.now())
    assert token is not None
    assert (token.member, token.writes, token.ending) == (ada, True, secret[-4:])
    assert secret not in (token.digest, token.name)
    assert Token.find(secret, now=timezone.now() + timedelta(days=31)) is None
    assert Token.find("jeos_wrong", now=timezone.now()) is None
    assert signed_in(bob).post(f"/settings/tokens/{token.pk}/remove/").status_code == 404
    client.post(f"/settings/tokens/{token.pk}/remove/")
    assert Token.find(secret, now=timezone.now()) is None


def test_profile_is_saved_and_the_language_follows(ada: Member) -> None:
    client = signed_in(ada)
    data = {"name": "A <b>", "about": "x", "language": "fr", "time_zone": "Europe/Paris"}
    data |= {"mail_personal": "0", "mail_news": "3"}
    assert client.post("/settings/", data).status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.language, ada.time_zone, ada.mail_personal, ada.mail_news) == (
        "A <b>",
        "fr",
        "Europe/Paris",
        Pace.NEVER,
        Pace.WEEKLY,
    )
    page = client.get("/m/ada/")
    assert page.headers["Content-Language"] == "fr"
    assert "A &lt;b&gt;" in page.content.decode()


def test_data_is_taken_along_whole(ada: Member, bob: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="Mein *Text* ü")
    posting.reply(thread, category, author=bob, source="another's")
    Draft.objects.create(member=ada, place="forum.new", source="begun")
    answer = signed_in(ada).post("/settings/data/download/")
    told = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert told["member"]["email"] == "ada@mail.example"
    assert [post["source"] for post in told["posts"]] == ["Mein *Text* ü"]
    assert [draft["source"] for draft in told["drafts"]] == ["begun"]
    assert "another's" not in json.dumps(told)


def test_who_leaves_is_forgotten_and_the_thread_stays(ada: Member, bob: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="It is wrong")
    Token.make(ada, name="x", writes=False, expires=None)
    Member.objects.filter(pk=ada.pk).update(name="Ada of the demo", about="secret hobby")
    client = signed_in(ada)
    assert client.post("/settings/data/", {"handle": "bob"}).status_code == 200
    assert client.post("/settings/data/", {"handle": "ada"}).status_code == 302
    assert client.get("/settings/").status_code == 302  # signed out
    ada.refresh_from_db()
    assert (ada.handle, ada.email, ada.name, ada.about, ada.is_active) == (f"left-{ada.pk}", None, "", "", False)
    assert (EmailAddress.objects.count(), Token.objects.count(), Following.objects.count()) == (0, 0, 0)
    page = signed_in(bob).get(thread.get_absolute_url()).content.decode()
    assert "It is wrong" in page
    assert "a former member" in page
    assert signed_in(bob).get(f"/m/left-{ada.pk}/").status_code == 404
    assert Client().login(username=f"left-{ada.pk}", password="correct horse") is False


def test_only_administrator_cannot_leave(administrator: Member) -> None:
    assert signed_in(administrator).post("/settings/data/", {"handle": "boss"}).status_code == 200
    administrator.refresh_from_db()
    assert administrator.is_active


@pytest.mark.parametrize(
    ("language", "refused", "forgot"),
    [
        ("en", "This handle and passphrase do not fit.", "Forgot your passphrase?"),
        ("de", "Kürzel und Passphrase passen nicht zusammen.", "Passphrase vergessen?"),
        ("fr", "Ce pseudonyme et cette phrase de passe ne vont pas ensemble.", "Phrase de passe oubliée ?"),
    ],
)
def test_packages_say_handle_and_passphrase_too(ada: Member, language: str, refused: str, forgot: str) -> None:
    client = Client(headers={"accept-language": language})
    page = html.unescape(client.post("/accounts/login/", {"login": "ada", "password": "wrong"}).content.decode())
    assert refused in page
    assert forgot in page
    pages = [client.get(f"/accounts/{name}/").content.decode() for name in ("signup", "password/reset", "login")]
    shown = re.sub(r"<[^>]*>", " ", " ".join([page, *pages]))
    assert re.findall(r"(?i)\b(?:username|password|passwort|benutzername|anmeldename|mot de passe)\w*", shown) == []

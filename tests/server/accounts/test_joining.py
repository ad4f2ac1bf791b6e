"""Who may make an account, as administrators decide while the site runs; and what new members write."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jeos.server.accounts import blocking, invitations, site
from jeos.server.accounts.models import Entry, Member, Trust
from jeos.server.content import moderation
from jeos.server.content.models import Case, Outcome
from jeos.server.forum import posting
from jeos.server.forum.models import Category, Post
from server_site import make_member

pytestmark = pytest.mark.django_db
SIGN_UP = {"email": "new@mail.example", "username": "newcomer", "password1": "a long enough passphrase"}


def decide(*, name: str = "", entry: Entry = Entry.OPEN, review: bool = False) -> None:
    site.change(name=name, entry=entry, review=review)


def joined() -> bool:
    return Member.objects.filter(handle="newcomer").exists()


def test_name_stands_on_pages_once_it_is_decided() -> None:
    assert "Appliance Exchange</title>" in Client().get("/").content.decode()
    decide(name="Images & more")
    assert "Images &amp; more</title>" in Client().get("/").content.decode()
    assert "Images &amp; more" in Client().get("/accounts/login/").content.decode()


def test_closed_site_makes_no_account_and_offers_none() -> None:
    assert "/accounts/signup/" in Client().get("/").content.decode()
    decide(entry=Entry.CLOSED)
    assert "/accounts/signup/" not in Client().get("/").content.decode()
    assert Client().post("/accounts/signup/", SIGN_UP).status_code == 200
    assert not joined()


def test_invitation_opens_the_form_as_often_as_it_says(administrator: Member) -> None:
    decide(entry=Entry.INVITED)
    made = invitations.make(by=administrator, note="", accounts=1, days=7, now=timezone.now())
    Client().post("/accounts/signup/", SIGN_UP)
    assert not joined()
    client = Client()
    assert client.get(f"/invited/{made.code}/").status_code == 302
    client.post("/accounts/signup/", SIGN_UP)
    assert joined()
    assert Client().get(f"/invited/{made.code}/").status_code == 403


def test_invitation_that_is_old_opens_nothing(administrator: Member) -> None:
    decide(entry=Entry.INVITED)
    now = timezone.now() - timedelta(days=8)
    made = invitations.make(by=administrator, note="", accounts=5, days=7, now=now)
    client = Client()
    assert client.get(f"/invited/{made.code}/").status_code == 403
    client.post("/accounts/signup/", SIGN_UP)
    assert not joined()


@pytest.mark.parametrize(
    ("email", "made"),
    [
        ("a@throwaway.example", False),
        ("a@mx.throwaway.example", False),
        ("a@THROWAWAY.example", False),
        ("a@notthrowaway.example", True),
    ],
)
def test_blocked_mail_domain_gives_no_account(email: str, made: bool) -> None:
    blocking.change("blocked", added=["other.example", "throwaway.example"])
    Client().post("/accounts/signup/", {**SIGN_UP, "email": email})
    assert joined() == made


def test_first_texts_wait_for_a_moderator_where_that_is_decided(category: Category, moderator: Member) -> None:
    decide(review=True)
    new = make_member("fresh")
    Member.objects.filter(pk=new.pk).update(trust=Trust.NEW)
    new.refresh_from_db()
    thread = posting.start(category, author=new, title="Hello all of you", source="Hi.")
    assert thread.hidden
    # Writing more before anybody has looked makes nobody known.
    replies = [posting.reply(thread, category, author=new, source=f"and {number}") for number in range(3)]
    assert [post.hidden for post in replies] == [True] * 3
    for case in Case.objects.filter(outcome=Outcome.OPEN):
        moderation.decide(case, Outcome.DISMISSED, moderator=moderator)
    assert not Post.objects.filter(author=new, hidden=True).exists()
    new.refresh_from_db()
    assert not posting.reply(thread, category, author=new, source="and now").hidden


def test_first_texts_are_shown_at_once_where_nothing_is_decided(category: Category) -> None:
    new = make_member("fresh")
    Member.objects.filter(pk=new.pk).update(trust=Trust.NEW)
    new.refresh_from_db()
    assert not posting.start(category, author=new, title="Hello all of you", source="Hi.").hidden

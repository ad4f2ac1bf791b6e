"""The head and foot of a page are kept, and still show who reads it, what was searched for, and where it is."""

import re

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from jeos.server import frame
from jeos.server.accounts.models import Member, Role
from jeos.server.accounts.sessions import SessionStore
from jeos.server.forum import posting
from jeos.server.forum.models import Category
from jeos.server.ideas import suggesting
from server_site import make_member, signed_in

pytestmark = pytest.mark.django_db
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w{64})"')


def shown(client: Client, path: str = "/tags/") -> str:
    return client.get(path).content.decode()


def test_head_shows_what_changed_since_it_was_kept(ada: Member) -> None:
    client = signed_in(ada)
    assert '<b class="count">' not in shown(client) and "/administration/" not in shown(client)
    Member.objects.filter(pk=ada.pk).update(unread=7)
    assert '<b class="count">7<span' in shown(client)
    Member.objects.filter(pk=ada.pk).update(handle="countess", role=Role.ADMINISTRATOR)
    assert "/m/countess/" in shown(client) and "/m/ada/" not in shown(client) and "/administration/" in shown(client)
    client.get("/", headers={"accept-language": "de"})
    Member.objects.filter(pk=ada.pk).update(language="de")
    assert "Abmelden" in shown(client) and "Sign out" not in shown(client)


def test_a_kept_head_is_nobody_elses(ada: Member, bob: Member) -> None:
    pages = {name: shown(client) for name, client in (("ada", signed_in(ada)), ("bob", signed_in(bob)))}
    visitor = shown(signed_in(None))
    assert "/m/bob/" in pages["bob"] and "/m/ada/" not in pages["bob"] and "/m/bob/" not in pages["ada"]
    assert "Sign in" in visitor and "Sign out" not in visitor and not TOKEN.search(visitor)


def test_tokens_are_new_in_each_page_and_open_the_form(ada: Member) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    first, second = (TOKEN.findall(shown(client)) for _ in range(2))
    assert len({*first, *second}) == 2 and first[0] != second[0]
    assert client.post("/accounts/logout/", {"csrfmiddlewaretoken": "a" * 64}).status_code == 403
    assert client.post("/accounts/logout/", {"csrfmiddlewaretoken": first[0]}).status_code == 302


def test_what_was_searched_for_and_the_address_are_filled_in_escaped(ada: Member) -> None:
    page = shown(signed_in(ada), "/search/?q=%22%3E%3Cscript%3E%EF%B7%90%25s")
    assert 'value="&#34;&gt;&lt;script&gt;\ufdd0%s"' in page and "<script>" not in page.replace("<script src", "")
    assert "/language/?next=/tags/x%27%2522/" in signed_in(None).get("/tags/x'%2522/").content.decode()


@pytest.mark.parametrize("who", ["ada", "nobody"])
def test_kept_parts_are_what_their_templates_make(who: str, ada: Member) -> None:
    client = signed_in(ada if who == "ada" else None)
    for _ in range(2):  # made, and then kept
        page = shown(client)
        request = RequestFactory().get("/tags/")
        request.user = ada
        for name in ("look", "header", "footer") if who == "ada" else ("look",):
            made = render_to_string(f"server/{name}.html", request=request, using="jinja2")
            assert TOKEN.sub("", made) in TOKEN.sub("", page)


def test_no_more_parts_are_kept_than_there_is_room_for(ada: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "KEPT", 4)
    client = signed_in(ada)
    for number in range(9):
        Member.objects.filter(pk=ada.pk).update(unread=number + 1)
        assert f'<b class="count">{number + 1}<span' in shown(client)
    assert len(frame._parts) <= 4


def test_what_a_session_holds_is_read_anew_and_ends_with_its_row() -> None:
    session = SessionStore()
    session["ways"] = ["passphrase"]
    session.save()
    again = SessionStore(session.session_key)
    again["ways"].append("passkey")  # in place, and not saved
    assert SessionStore(session.session_key)["ways"] == ["passphrase"]
    again.delete()
    assert SessionStore(session.session_key).load() == {}


@pytest.mark.parametrize("kind", ["thread", "ideas"])
def test_forms_that_many_lines_share_have_a_token_and_show_none(kind: str, ada: Member, category: Category) -> None:
    if kind == "thread":
        page = posting.start(category, author=make_member("bob"), title="Boot order", source="So.").get_absolute_url()
    else:
        page = "/ideas/"
        suggesting.post(author=make_member("bob"), title="Boot from tape", source="So.", tag_names=[])
    text = shown(signed_in(ada), page)
    assert "&lt;input" not in text
    assert "/vote/" in text or "/react/" in text
    assert len(TOKEN.findall(text)) == text.count("csrfmiddlewaretoken")

"""What the site keeps out: networks that neither join nor write, words with which a text waits, changes taken back."""

from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.accounts import blocking
from jeos.server.accounts.models import LIST_LENGTH, Member, Site
from jeos.server.content import comments, kinds, reasons
from jeos.server.content.models import AuditEntry, Case, Comment, Flag
from jeos.server.forum import posting
from jeos.server.forum.models import Category, Thread
from jeos.server.ideas import suggesting
from jeos.server.practices import writing as practices
from jeos.server.practices.models import PARTS
from server_program import API, Program
from server_site import signed_in

pytestmark = pytest.mark.django_db
SIGN_UP = {"email": "new@mail.example", "username": "newcomer", "password1": "a long enough passphrase"}
BLOCKED, FREE = "192.0.2.7", "198.51.100.7"


@pytest.fixture
def networks(db: None) -> None:
    blocking.change("networks", added=["192.0.2.0/24", "2001:db8::/32"])


@pytest.fixture
def thread(ada: Member, category: Category) -> Thread:
    return posting.start(category, author=ada, title="Its own", source="Words")


@pytest.mark.parametrize(
    ("address", "blocked"),
    [
        *(("192.0.2.0", True), ("192.0.2.255", True), ("192.0.3.0", False), ("192.0.1.255", False)),
        *(("2001:db8:ffff::1", True), ("2001:db9::1", False), ("::ffff:192.0.2.9", True), ("::1", False)),
        *(("fe80::1%eth0", False), ("", False), ("nonsense", False), ("192.0.2", False)),
    ],
)
def test_address_is_in_a_network_or_not(networks: None, address: str, blocked: bool) -> None:
    assert blocking.is_blocked_network(address) is blocked


@given(st.ip_addresses(), st.integers(0, 128))
def test_network_holds_what_ipaddress_says(address: Any, length: int) -> None:
    length = min(length, address.max_prefixlen)
    text = f"{address}/{length}"
    if length < blocking.WIDEST[address.version]:
        with pytest.raises(ValueError, match="too wide"):
            blocking.network(text)
    else:
        kept = blocking.network(text)
        assert blocking._heads(kept)[address.version, length] == {int(address) >> (address.max_prefixlen - length)}


def test_blocked_network_reads_signs_in_and_leaves_but_neither_joins_nor_writes(
    networks: None, ada: Member, thread: Thread, client: Client
) -> None:
    def ask(who: Client, path: str, data: dict[str, str] | None = None, *, at: str = BLOCKED) -> int:
        if data is None:
            return who.get(path, REMOTE_ADDR=at).status_code
        return who.post(path, data, REMOTE_ADDR=at).status_code

    member, reply = signed_in(ada), f"/forum/t/{thread.pk}/reply/"
    assert [ask(client, path) for path in ("/", "/forum/", "/accounts/login/", "/accounts/signup/")] == [
        *(200, 200, 200, 403)
    ]
    assert ask(client, "/accounts/signup/", SIGN_UP) == 403
    assert not Member.objects.filter(handle="newcomer").exists()
    assert ask(member, reply, {"source": "Let me in."}) == 403
    assert [ask(member, "/language/", {"language": "fr"}), ask(member, "/settings/data/")] == [302, 200]
    assert ask(member, reply, {"source": "Let me in."}, at=FREE) == 302
    assert ask(client, "/accounts/login/", {"login": "ada", "password": "correct horse"}) == 302
    assert ask(Client(), "/accounts/signup/", at=FREE) == 200


def test_refusal_says_why(networks: None, client: Client) -> None:
    page = client.get("/accounts/signup/", REMOTE_ADDR=BLOCKED).content.decode()
    assert "Nobody joins or writes from your network at present." in page


def test_programs_from_a_blocked_network_read_only(networks: None, ada: Member, moderator: Member) -> None:
    def write(who: Member, at: str) -> int:
        return (
            Client()
            .post(
                f"{API}/ideas",
                {"title": "Boot from tape", "source": "So."},
                "application/json",
                headers=Program(who).headers,
                REMOTE_ADDR=at,
            )
            .status_code
        )

    assert [write(ada, BLOCKED), write(ada, FREE), write(moderator, BLOCKED)] == [403, 201, 201]
    assert Client().get(f"{API}/me", headers=Program(ada).headers, REMOTE_ADDR=BLOCKED).status_code == 200


def test_moderators_are_never_locked_out(networks: None, administrator: Member) -> None:
    client = signed_in(administrator)
    answer = client.post("/administration/blocked/", {"networks": "192.0.2.0/24"}, REMOTE_ADDR=BLOCKED)
    assert answer.status_code == 302


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("Buy CHEAP ink!", "cheap ink"), ("cheap\n\n**ink**", "cheap ink"), ("cheap, ink", "cheap ink")),
        *(("cheaply inked", ""), ("cheap red ink", ""), ("Straße", "strasse"), ("STRASSE", "strasse")),
        *(
            ("\uff43\uff41\uff53\uff49\uff4e\uff4f", "casino"),
            ("ca\u00adsi\u200bno", "casino"),
            ("casinos", ""),
            ("Cafe\u0301", "café"),
        ),
        *(("", ""), ("...", ""), ("_casino_", "casino"), ("casino-royale", "casino")),
    ],
)
def test_words_are_found_as_wholes_in_any_form(text: str, found: str) -> None:
    blocking.change("words", added=[blocking.phrase(one) for one in ("Cheap ink", "STRASSE", "casino", "Café")])
    assert blocking.word_in(text) == found


@given(st.text(max_size=60))
def test_word_that_was_kept_is_found_in_itself(text: str) -> None:
    try:
        kept = blocking.phrase(text)
    except ValueError:
        return
    assert blocking.phrase(kept) == kept
    assert tuple(blocking.folded(f"before {text} after")[1:-1]) == tuple(kept.split())


def test_text_of_any_make_is_walked_once() -> None:
    words = [" ".join(["a"] * length) + f" b{number}" for number in range(400) for length in (1, 7)]
    blocking.change("words", added=words)
    assert blocking._phrases(Site.objects.get().words).lengths == (2, 8)  # so many looks at each word, and no more
    assert blocking.word_in("a " * 20_000) == ""
    assert blocking.word_in("a " * 20_000 + "b7") == "a a a a a a a b7"


def test_new_text_with_a_blocked_word_waits_wherever_it_is_written(
    ada: Member, moderator: Member, thread: Thread, category: Category
) -> None:
    blocking.change("words", added=["casino"])
    idea = suggesting.post(author=ada, title="An idea of mine", source="So.")
    practice = practices.draft(
        practices.Wanted(title="Keep the data apart", parts=dict.fromkeys(PARTS, "cas*ino*")), author=ada
    )
    practices.submit(practice)
    hidden = [
        posting.start(category, author=ada, title="The casino calls", source="So.").hidden,
        posting.reply(thread, category, author=ada, source="In a CASINO.").hidden,
        comments.write(kinds.IDEA, idea.pk, author=ada, source="A *casino*!").hidden,
        suggesting.post(author=ada, title="Casino for everybody", source="So.").hidden,
        practice.hidden,
    ]
    assert (hidden, idea.hidden) == ([True] * 5, False)
    assert not posting.reply(thread, category, author=moderator, source="No casino here.").hidden
    assert set(Flag.objects.values_list("note", "detail")) == {(reasons.WORD, "casino")}


def test_change_that_brings_in_a_word_is_looked_at_and_stays_shown(ada: Member, thread: Thread) -> None:
    idea = suggesting.post(author=ada, title="An idea of mine", source="So.")
    comment = comments.write(kinds.IDEA, idea.pk, author=ada, source="Good.")
    blocking.change("words", added=["casino"])
    comments.edit(comment, editor=ada, source="Better.")
    assert not Case.objects.exists()
    comments.edit(comment, editor=ada, source="Better in a casino.")
    assert not Comment.objects.get().hidden
    assert (Case.objects.get().author_id, Flag.objects.get().said) == (
        ada.pk,
        "a change brought in a blocked word: casino",
    )
    comments.edit(comment, editor=ada, source="Best in a casino.")
    assert Flag.objects.count() == 1


def test_reasons_of_the_site_are_said_in_the_readers_language(
    ada: Member, moderator: Member, category: Category
) -> None:
    blocking.change("words", added=["casino"])
    posting.start(category, author=ada, title="The casino calls", source="So.")
    Member.objects.filter(pk=moderator.pk).update(language="de")
    assert "ein gesperrtes Wort: casino" in signed_in(moderator).get("/moderation/").content.decode()
    known = [reasons.LINK, reasons.AGAIN, reasons.WORD, reasons.CHANGED, reasons.CHANNEL_ALONE, *reasons.NEW.values()]
    for language in ("de", "fr"):
        with translation.override(language):
            assert [note for note in known if reasons.said(note, "x") == note.replace("{detail}", "x")] == []


def test_page_changes_lists_logs_what_changed_and_takes_it_back(administrator: Member) -> None:
    client = signed_in(administrator)
    lists = {"blocked": "Spam.example", "networks": "192.0.2.9/24\n2001:db8::1", "words": "Cheap  Ink"}
    client.post("/administration/blocked/", lists)
    kept = Site.objects.get()
    assert (kept.blocked, kept.networks.split(), kept.words) == (
        "spam.example",
        ["192.0.2.0/24", "2001:db8::1/128"],
        "cheap ink",
    )
    client.post("/administration/blocked/", {**lists, "networks": "192.0.2.0/24"})
    entries = list(AuditEntry.objects.order_by("pk").values_list("details", flat=True))
    assert [(one["list"], one["added"], one["removed"]) for one in entries] == [
        ("blocked", ["spam.example"], []),
        ("networks", ["192.0.2.0/24", "2001:db8::1/128"], []),
        ("words", ["cheap ink"], []),
        ("networks", [], ["2001:db8::1/128"]),
    ]
    page = client.get("/administration/blocked/").content.decode()
    assert "<code>2001:db8::1/128</code>" in page
    last = AuditEntry.objects.latest("pk")
    for _ in range(2):
        client.post(f"/administration/blocked/{last.pk}/undo/")
    assert Site.objects.get().networks.split() == ["192.0.2.0/24", "2001:db8::1/128"]
    assert AuditEntry.objects.count() == 5  # the second undoing had nothing to do
    assert AuditEntry.objects.latest("pk").details["undoes"] == last.pk


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("networks", "10.0.0.0/4"), ("networks", "::/0"), ("networks", "nonsense"), ("networks", "192.0.2.0/33")),
        *(("words", "..."), ("words", "a b c d e f g h i"), ("words", "x" * 101), ("blocked", "no domain")),
        ("words", "x" * (LIST_LENGTH + 1)),
    ],
)
def test_entry_that_is_none_changes_nothing(administrator: Member, name: str, text: str) -> None:
    answer = signed_in(administrator).post("/administration/blocked/", {"words": "ink", name: text})
    assert answer.status_code == 200
    assert 'class="error"' in answer.content.decode()
    assert not Site.objects.exists()

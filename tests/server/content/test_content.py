"""Tags, limits, trust, reactions, revisions, and the moderators' pages."""

import pytest
from django.test import Client
from django_tasks_db.models import DBTaskResult
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import kinds, limits, notifications, search, tags, tasks, texts, trust
from jeos.server.content.models import AuditEntry, Case, Notification, Outcome, Reason, Tag, Tagged
from jeos.server.content.notifications import Event
from jeos.server.content.texts import Change
from jeos.server.forum import posting
from jeos.server.forum.models import Category, Post, Thread
from server_site import make_member, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(ada: Member, category: Category) -> Thread:
    return posting.start(category, author=ada, title="Boot order", source="wrong", tag_names=["uefi", "boot"])


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("UEFI, boot;  secure_boot", ["uefi", "boot", "secure-boot"]),
        ("a a A", ["a"]),
        ("c++ c# .net", ["c++", "c#", "net"]),
        ("größe 日本", ["größe", "日本"]),
        ("<b> /../ ?", ["b"]),
        ("1 2 3 4 5 6 7", ["1", "2", "3", "4", "5"]),
        ("", []),
    ],
)
def test_typed_tags_are_names_that_addresses_can_hold(typed: str, names: list[str]) -> None:
    assert tags.split(typed) == names


@given(st.text(max_size=60))
def test_name_of_a_tag_is_stable_and_short(text: str) -> None:
    name = tags.normal(text)
    assert tags.normal(name) == name
    assert len(name) <= 40
    assert "/" not in name
    assert not name.startswith(("-", "."))


def test_synonym_leads_to_what_is_meant(thread: Thread, moderator: Member, ada: Member, category: Category) -> None:
    other = posting.start(category, author=ada, title="Boot again", source="x", tag_names=["efi", "uefi"])
    posting.start(category, author=ada, title="Boot third", source="x", tag_names=["efi"])
    tags.merge(Tag.objects.get(name="efi"), Tag.objects.get(name="uefi"), actor=moderator)
    uefi = Tag.objects.get(name="uefi")
    assert (uefi.uses, Tag.objects.get(name="efi").uses) == (3, 0)
    assert Tagged.objects.filter(tag=uefi, number=other.pk).count() == 1
    assert tags.resolve(["efi", "uefi", "unknown"], create=False) == [uefi]
    answer = Client().get("/tags/efi/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tags/uefi/")
    assert [tag.name for tag in tags.suggest("ef")] == ["uefi"]
    with pytest.raises(ValueError, match="synonym"):
        tags.merge(uefi, Tag.objects.get(name="efi"), actor=moderator)


def test_renamed_tag_keeps_its_old_address(thread: Thread, moderator: Member) -> None:
    client = signed_in(moderator)
    data = {"name": "Firmware", "description": "What starts it", "wider": "boot", "merge_into": ""}
    assert client.post("/tags/uefi/edit/", data).headers["Location"] == "/tags/firmware/"
    assert Client().get("/tags/uefi/").headers["Location"] == "/tags/firmware/"
    assert "What starts it" in Client().get("/tags/firmware/").content.decode()
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["tag.rename", "tag.edit"]


def test_what_has_a_tag_says_its_new_name_in_lists_and_search(thread: Thread, moderator: Member) -> None:
    client = signed_in(moderator)
    other = posting.start(thread.category, author=moderator, title="Signed", source="Keys.", tag_names=["keys", "boot"])
    untouched = posting.start(thread.category, author=moderator, title="Cold", source="Fans.", tag_names=["fans"])
    client.post("/tags/uefi/edit/", {"name": "firmware"})
    client.post("/tags/keys/edit/", {"name": "keys", "merge_into": "firmware"})
    assert DBTaskResult.objects.filter(task_path__endswith=".spread_tag").count() == 2
    firmware = Tag.objects.get(name="firmware").pk
    assert (tasks.spread_tag.call(firmware), tasks.spread_tag.call(firmware)) == (2, 0)  # once more does nothing
    tags_of = dict(Thread.objects.values_list("pk", "tags"))
    assert tags_of[thread.pk].split() == ["firmware", "boot"]
    assert tags_of[other.pk].split() == ["firmware", "boot"]
    assert tags_of[untouched.pk] == "fans"
    for words in ("tag:firmware", "tag:uefi", "tag:keys", "firmware"):
        found = {hit.number for hit in search.index().find(search.parse(words), limit=9)}
        assert found == {thread.pk, other.pk}, words


def test_tag_cannot_be_part_of_itself(thread: Thread, moderator: Member) -> None:
    boot, uefi = Tag.objects.get(name="boot"), Tag.objects.get(name="uefi")
    Tag.objects.filter(pk=uefi.pk).update(wider=boot)
    answer = signed_in(moderator).post("/tags/boot/edit/", {"name": "boot", "wider": "uefi"})
    assert answer.status_code == 200
    assert Tag.objects.get(name="boot").wider is None


def test_limit_is_counted_for_each_span_and_member(ada: Member, bob: Member, moderator: Member) -> None:
    for _ in range(5):
        limits.use("thread", member=ada, now=7_200)
    with pytest.raises(limits.TooOften) as refused:
        limits.use("thread", member=ada, now=7_300)
    assert refused.value.seconds == 3_500
    limits.use("thread", member=bob, now=7_300)
    limits.use("thread", member=ada, now=10_800)
    for _ in range(50):
        limits.use("thread", member=moderator, now=7_200)
    limits.prune(now=7_200 + 3 * limits.DAY)


def test_known_member_may_do_more(ada: Member) -> None:
    ada.trust = Trust.KNOWN
    for _ in range(20):
        limits.use("thread", member=ada, now=0)
    with pytest.raises(limits.TooOften):
        limits.use("thread", member=ada, now=0)


def test_refusal_is_a_page_that_says_when(ada: Member, category: Category) -> None:
    client = signed_in(ada)
    data = {"category": "building", "title": "Some words", "source": "text"}
    answers = [client.post("/forum/new/", data) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) <= 3_600
    assert Thread.objects.count() == 5


@pytest.mark.parametrize(
    ("days", "posts", "thanks", "level"),
    [
        (0, 0, 0, Trust.NEW),
        (1, 2, 0, Trust.BASIC),
        (7, 20, 5, Trust.KNOWN),
        (7, 20, 4, Trust.BASIC),
        (400, 9_000, 900, Trust.REGULAR),
    ],
)
def test_trust_is_earned_by_use(days: int, posts: int, thanks: int, level: Trust) -> None:
    assert trust.earned(days=days, posts=posts, thanks=thanks) == level


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("a b c", "a x c", [Change("=", "a "), Change("-", "b "), Change("+", "x "), Change("=", "c")]),
        ("", "a", [Change("+", "a")]),
        ("a", "a", [Change("=", "a")]),
        ("", "", []),
    ],
)
def test_difference_is_by_words(old: str, new: str, changes: list[Change]) -> None:
    assert texts.difference(old, new) == changes


@given(st.text(alphabet="ab \n", max_size=40), st.text(alphabet="ab \n", max_size=40))
def test_difference_holds_both_texts(old: str, new: str) -> None:
    changes = texts.difference(old, new)
    assert "".join(change.text for change in changes if change.sign != "+") == old
    assert "".join(change.text for change in changes if change.sign != "-") == new


def test_difference_of_long_texts_ends() -> None:
    assert texts.difference("a " * 20_000, "a b " * 10_000)


def test_case_is_flagged_decided_and_undone_by_the_pages(
    thread: Thread, bob: Member, moderator: Member, category: Category
) -> None:
    post = posting.reply(thread, category, author=make_member("spammer"), source="cheap <b>ink</b>")
    assert signed_in(bob).post(f"/flag/2/{post.pk}/", {"reason": "5", "note": ""}).status_code == 200
    assert Case.objects.count() == 0  # "something else" needs words
    signed_in(bob).post(f"/flag/2/{post.pk}/", {"reason": "1", "note": "an <i>advert</i>"})
    case, client = Case.objects.get(), signed_in(moderator)
    page = client.get("/moderation/").content.decode()
    assert "cheap &lt;b&gt;ink&lt;/b&gt;" in page
    assert "an &lt;i&gt;advert&lt;/i&gt;" in page
    assert client.post(f"/moderation/{case.pk}/decide/", {"outcome": "0"}).status_code == 400
    client.post(f"/moderation/{case.pk}/decide/", {"outcome": "2", "note": "spam"})
    client.post(f"/moderation/{case.pk}/decide/", {"outcome": "1"})  # too late
    case.refresh_from_db()
    assert (case.outcome, case.decided_by, Post.objects.get(pk=post.pk).hidden) == (Outcome.HIDDEN, moderator, True)
    client.post(f"/moderation/{case.pk}/undo/")
    assert Post.objects.get(pk=post.pk).hidden is False
    assert "case.undo" in client.get("/moderation/log/").content.decode()


HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{3*41*101}}"
FIELDS = ["title", "source", "tags", "poll_question", "poll_options", "name", "about", "query", "note", "reason"]


@pytest.mark.parametrize("field", FIELDS)
def test_hostile_text_in_any_field_is_shown_as_text(
    ada: Member, bob: Member, moderator: Member, category: Category, field: str
) -> None:
    def value(name: str, plain: str) -> str:
        return f"{plain} {HOSTILE}" if name == field else plain

    client = signed_in(ada)
    profile = {"name": value("name", "A")[:60], "about": value("about", "x"), "time_zone": "UTC"}
    client.post("/settings/", profile)
    data = {
        "category": "building",
        "title": value("title", "Some words"),
        "source": value("source", "text"),
        "tags": value("tags", "uefi"),
        "poll_question": value("poll_question", "When?"),
        "poll_options": f"{value('poll_options', 'a')[:110]}\nb",
    }
    assert client.post("/forum/new/", data).status_code == 302
    thread = Thread.objects.get()
    post = Post.objects.get()
    client.post(
        f"/forum/p/{post.pk}/edit/",
        {"source": "changed", "title": data["title"], "tags": data["tags"], "reason": value("reason", "why")},
    )
    signed_in(bob).post(f"/flag/1/{thread.pk}/", {"reason": "5", "note": value("note", "look")})
    query = value("query", "words")
    judge = signed_in(moderator)
    for page, reader in (
        *((page, client) for page in ("/", "/forum/c/building/", "/tags/", "/m/ada/", "/settings/")),
        *((page, client) for page in (thread.get_absolute_url(), f"/tags/{thread.tags.split()[0]}/")),
        *((f"/forum/p/{post.pk}/{page}/", client) for page in ("history", "edit")),
        (f"/forum/t/{thread.pk}/reply/?quote=1", client),
        (f"/forum/t/{thread.pk}/manage/", judge),
        ("/moderation/", judge),
    ):
        text = reader.get(page).content.decode()
        assert "<script>alert" not in text, page
        assert "onerror=alert(1)>" not in text.replace("onerror=alert(1)&gt;", ""), page
        assert "12423" not in text, page  # what a template engine would make of it
    text = client.get("/search/", {"q": query}).content.decode()
    assert "<script>alert" not in text


def test_notification_speaks_of_others_only_where_there_are_some(ada: Member, bob: Member) -> None:
    def told(actor: Member | None) -> str:
        who = actor.pk if actor else None
        notifications.tell([ada.pk], Event(Reason.REPLY, kinds.THREAD, 1, "/", "A thread", who))
        return " ".join(signed_in(ada).get("/notifications/").content.decode().split())

    eve = make_member("eve")
    assert "and others" not in told(bob)
    assert "and others" not in told(bob)  # the same again
    assert "and others" in told(eve)
    assert "and others" in told(eve)
    assert Notification.objects.values_list("count", "others").get() == (4, True)
    notifications.see(ada)
    told(None)
    told(bob)  # the site is nobody else
    assert Notification.objects.filter(seen=False).values_list("count", "others").get() == (2, False)

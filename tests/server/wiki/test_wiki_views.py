"""The wiki's pages: who may see and do what, how many queries they take, what editors are shown."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import feedparser
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hostile_texts import ATTACKS, assert_harmless
from jeos.server.accounts import activity, export
from jeos.server.accounts.models import Member, Trust
from jeos.server.content import kinds, notifications
from jeos.server.content.models import Draft, Notification, Reason
from jeos.server.wiki import managing, rules, writing
from jeos.server.wiki.models import Change, Level, Page, What
from jeos.server.wiki.writing import Saved
from server_site import count_queries, make_member, signed_in, statuses

pytestmark = pytest.mark.django_db
OPEN = [200, 200, 200, 200, 200]
MEMBERS = [401, 200, 200, 200, 200]
MODERATORS = [401, 403, 403, 200, 200]
ADMINISTRATORS = [401, 403, 403, 403, 200]
TEXT = "First the disk.\n\nThen the network.\n\nSee [[Secure boot]]."


@pytest.fixture
def page(ada: Member) -> Page:
    return writing.create(title="Boot order", source=TEXT, author=ada, tag_names=["uefi"])


def change(page: Page, editor: Member, source: str) -> Page:
    page.refresh_from_db()
    done = writing.edit(page.pk, editor=editor, base=page.version, source=source, tags_now=page.tags.split())
    assert isinstance(done, Saved)
    return done.page


def form(source: str, *, base: int, **more: object) -> dict[str, object]:
    return {"source": source, "base": base, "tags": "uefi", "tags_then": "uefi", "reason": "", **more}


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("/wiki/", OPEN),
        ("/wiki/-/pages/", OPEN),
        ("/wiki/-/changes/", OPEN),
        ("/wiki/-/changes/feed.rss", OPEN),
        ("/wiki/-/changes/feed.atom", OPEN),
        ("/wiki/-/wanted/", OPEN),
        ("/wiki/-/orphans/", OPEN),
        ("/wiki/-/new/", MEMBERS),
        ("/wiki/-/rules/", ADMINISTRATORS),
        ("/wiki/boot-order/", OPEN),
        ("/wiki/Boot Order/", [302] * 5),
        ("/wiki/nothing/", [404] * 5),
        ("/wiki/…/", [404] * 5),
        ("/wiki/boot-order/edit/", MEMBERS),
        ("/wiki/boot-order/edit/?undo=2", MEMBERS),
        ("/wiki/boot-order/edit/?version=1", MEMBERS),
        ("/wiki/boot-order/edit/?version=7", [401, 404, 404, 404, 404]),
        ("/wiki/nothing/edit/", MEMBERS),
        ("/wiki/…/edit/", [401, 404, 404, 404, 404]),
        ("/wiki/boot-order/history/", OPEN),
        ("/wiki/nothing/history/", [404] * 5),
        ("/wiki/boot-order/history/feed.rss", OPEN),
        ("/wiki/boot-order/links/", OPEN),
        ("/wiki/boot-order/version/1/", OPEN),
        ("/wiki/boot-order/version/3/", [404] * 5),
        ("/wiki/boot-order/compare/", OPEN),
        ("/wiki/boot-order/compare/?from=1&to=2&view=side", OPEN),
        ("/wiki/boot-order/compare/?to=1", OPEN),
        ("/wiki/boot-order/compare/?to=9", [404] * 5),
        ("/wiki/boot-order/compare/?to=x", [404] * 5),
        ("/wiki/boot-order/compare/?to=99999999999999999999", [404] * 5),
        ("/wiki/boot-order/manage/", [401, 403, 403, 200, 200]),
        ("/wiki/boot-order/seen/", [405] * 5),
        ("/wiki/boot-order/version/1/revert/", [405] * 5),
        ("/wiki/boot-order/version/1/hide/", [405] * 5),
        ("/flag/3/{n}/", MEMBERS),
    ],
)
def test_page_is_for_whom_it_should_be(
    people: dict[str, Client], page: Page, bob: Member, address: str, wanted: list[int]
) -> None:
    change(page, bob, TEXT + " More.")
    assert statuses(people, address.format(n=page.pk)) == wanted


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("edit/", {"source": "changed", "base": 1}, [401, 302, 302, 302, 302]),
        ("edit/", {"source": "", "base": 1}, MEMBERS),
        ("edit/", {"source": "x"}, MEMBERS),
        ("edit/", {"source": "x", "base": 1, "preview": 1}, MEMBERS),
        ("seen/", {}, [401, 204, 204, 204, 204]),
        ("version/1/revert/", {"base": 1}, [401, 302, 302, 302, 302]),
        ("version/1/revert/", {"base": "x"}, [401, 400, 400, 400, 400]),
        ("version/9/revert/", {"base": 1}, [401, 404, 404, 404, 404]),
        ("version/1/hide/", {"hidden": 1}, [401, 403, 403, 302, 302]),
        ("manage/", {"action": "move", "title": "Other"}, [401, 403, 403, 302, 302]),
        ("manage/", {"action": "protect", "level": 2}, [401, 403, 403, 302, 302]),
        ("manage/", {"action": "protect", "level": 6}, [401, 403, 403, 200, 302]),
        ("manage/", {"action": "hide"}, [401, 403, 403, 302, 302]),
        ("manage/", {"action": "free", "name": "none"}, [401, 403, 403, 404, 404]),
        ("manage/", {"action": "nothing"}, MODERATORS),
    ],
)
def test_deed_is_for_whom_it_should_be(
    people: dict[str, Client], page: Page, path: str, data: dict[str, object], wanted: list[int]
) -> None:
    assert statuses(people, f"/wiki/boot-order/{path}", data) == wanted


def test_hidden_page_is_for_its_author_and_moderators(people: dict[str, Client], page: Page) -> None:
    managing.set_hidden(page.pk, True)
    for path in ("", "history/", "links/", "version/1/", "compare/"):
        assert statuses(people, f"/wiki/boot-order/{path}") == [404, 404, 200, 200, 200]
    assert statuses(people, "/wiki/boot-order/edit/") == [401, 404, 403, 200, 200]
    assert statuses(people, "/wiki/-/changes/") == OPEN
    for role in ("visitor", "member"):
        assert b"Boot order" not in people[role].get("/wiki/-/changes/").content
        assert b"Boot order" not in people[role].get("/wiki/-/changes/feed.rss").content
    assert b"Boot order" in people["moderator"].get("/wiki/-/changes/").content


def test_protected_page_shows_its_source_to_who_may_not_edit(people: dict[str, Client], page: Page) -> None:
    Page.objects.update(protection=Level.MODERATORS)
    assert statuses(people, "/wiki/boot-order/edit/") == [401, 403, 403, 200, 200]
    assert b"Then the network." in people["member"].get("/wiki/boot-order/edit/").content
    assert statuses(people, "/wiki/boot-order/edit/", {"source": "x", "base": 1}) == [401, 403, 403, 302, 302]
    Page.objects.update(protection=Level.ADMINISTRATORS)
    assert statuses(people, "/wiki/boot-order/edit/") == [401, 403, 403, 403, 200]
    assert people["moderator"].post("/wiki/boot-order/manage/", {"action": "protect", "level": 0}).status_code == 403


def test_site_decides_who_writes(people: dict[str, Client], page: Page, administrator: Member) -> None:
    data = {"edit": int(Level.KNOWN), "create": int(Level.MODERATORS), "move": int(Level.EVERY_MEMBER)}
    assert people["administrator"].post("/wiki/-/rules/", data).status_code == 302
    assert statuses(people, "/wiki/boot-order/edit/") == [401, 403, 403, 200, 200]
    assert statuses(people, "/wiki/nothing/edit/") == [401, 403, 403, 200, 200]
    assert statuses(people, "/wiki/-/new/") == [401, 403, 403, 200, 200]
    Member.objects.filter(handle="bob").update(trust=Trust.KNOWN)
    assert statuses(people, "/wiki/boot-order/edit/") == [401, 200, 403, 200, 200]
    assert statuses(people, "/wiki/boot-order/manage/") == [401, 200, 403, 200, 200]
    assert people["administrator"].post("/wiki/-/rules/", {"edit": 9, "create": 0, "move": 0}).status_code == 200
    assert rules.current().edit == Level.KNOWN


def test_page_is_written_from_a_link_to_nothing(people: dict[str, Client], page: Page) -> None:
    nothing = people["member"].get("/wiki/secure-boot/")
    assert nothing.status_code == 404
    assert b"Boot order" in nothing.content  # which links to it
    editor = people["member"].get("/wiki/secure-boot/edit/?title=Secure+boot").content.decode()
    assert 'value="Secure boot"' in editor
    data = form("Signed, all of it.", base=0, title="Secure boot")
    assert people["member"].post("/wiki/secure-boot/edit/", data).headers["Location"] == "/wiki/secure-boot/"
    assert b"wiki missing" not in people["visitor"].get("/wiki/boot-order/").content


def test_title_leads_to_the_page_or_to_its_editor(people: dict[str, Client], page: Page) -> None:
    there = people["member"].post("/wiki/-/new/", {"title": "boot ORDER"})
    assert there.headers["Location"] == "/wiki/boot-order/"
    fresh = people["member"].post("/wiki/-/new/", {"title": "Größe & Form"})
    assert fresh.headers["Location"] == "/wiki/gr%C3%B6%C3%9Fe-form/edit/?title=Gr%C3%B6%C3%9Fe%20%26%20Form"
    assert people["member"].get(fresh.headers["Location"]).status_code == 200
    for title in ("…", "[x]", "", "x" * 121):
        assert people["member"].post("/wiki/-/new/", {"title": title}).status_code == 200


def test_two_who_write_the_same_new_page_both_keep_their_text(people: dict[str, Client], page: Page) -> None:
    data = form("Mine.", base=0, title="Boot order", tags="uefi", tags_then="")
    answer = people["member"].post("/wiki/boot-order/edit/", data)
    assert answer.status_code == 409
    assert b"Mine." in answer.content
    assert b"Then the network." in answer.content


def test_editor_of_a_conflict_shows_both_and_saves_what_was_chosen(
    people: dict[str, Client], page: Page, ada: Member, bob: Member
) -> None:
    change(page, ada, TEXT.replace("the disk", "the firmware"))
    mine = TEXT.replace("the disk", "the shim")
    answer = people["member"].post("/wiki/boot-order/edit/", form(mine, base=1))
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert "&lt;&lt;&lt;&lt;&lt;&lt;&lt;&lt; your text\nFirst the shim.\n========\nFirst the firmware." in shown
    assert 'name="base" value="2"' in shown
    assert Draft.objects.get(member=bob).title == "2"  # what was written is kept, come what may
    marked = Draft.objects.get(member=bob).source
    assert people["member"].post("/wiki/boot-order/edit/", form(marked, base=2)).status_code == 200
    assert people["member"].post("/wiki/boot-order/edit/", form(mine, base=2)).status_code == 302
    page.refresh_from_db()
    assert (page.source, page.version) == (mine, 3)
    assert not Draft.objects.exists()


def test_draft_of_an_older_version_is_merged_and_undoes_nothing(
    people: dict[str, Client], page: Page, ada: Member
) -> None:
    people["member"].post(
        "/draft/", {"place": f"wiki.edit.{page.pk}", "title": "1", "source": TEXT.replace("the network", "the rest")}
    )
    change(page, ada, TEXT.replace("the disk", "the firmware"))
    editor = people["member"].get("/wiki/boot-order/edit/").content.decode()
    assert 'name="base" value="1"' in editor
    assert "The page has changed since you began." in editor
    people["member"].post("/wiki/boot-order/edit/", form(TEXT.replace("the network", "the rest"), base=1))
    page.refresh_from_db()
    assert page.source == "First the firmware.\n\nThen the rest.\n\nSee [[Secure boot]]."


def test_going_back_asks_again_when_somebody_was_faster(people: dict[str, Client], page: Page, ada: Member) -> None:
    change(page, ada, "other words")
    change(page, ada, "yet others")
    answer = people["member"].post("/wiki/boot-order/version/1/revert/", {"base": 2})
    assert answer.headers["Location"] == "/wiki/boot-order/history/"
    assert people["member"].post("/wiki/boot-order/version/1/revert/", {"base": 3}).status_code == 302
    page.refresh_from_db()
    assert page.source == TEXT


def test_earlier_name_leads_to_the_page(people: dict[str, Client], page: Page, ada: Member) -> None:
    managing.move(page, "How it boots", actor=ada)
    visitor = people["visitor"]
    assert visitor.get("/wiki/boot-order/").headers["Location"] == "/wiki/how-it-boots/"
    assert visitor.get("/wiki/boot-order/history/").headers["Location"] == "/wiki/how-it-boots/history/"
    moderator = people["moderator"]
    assert b"/wiki/boot-order/" in moderator.get("/wiki/how-it-boots/manage/").content
    moderator.post("/wiki/how-it-boots/manage/", {"action": "free", "name": "boot-order"})
    assert visitor.get("/wiki/boot-order/").status_code == 404


def test_hidden_version_is_for_moderators(people: dict[str, Client], page: Page, ada: Member) -> None:
    change(page, ada, "secret words")
    change(page, ada, TEXT)
    people["moderator"].post("/wiki/boot-order/version/2/hide/", {"hidden": 1})
    for address in ("version/2/", "compare/?from=1&to=2", "compare/?from=2&to=3"):
        assert statuses(people, f"/wiki/boot-order/{address}") == [403, 403, 403, 200, 200]
    for address in ("edit/?version=2", "edit/?undo=2", "edit/?undo=3"):
        assert statuses(people, f"/wiki/boot-order/{address}") == [401, 403, 403, 200, 200]
    assert b"secret words" not in people["visitor"].get("/wiki/boot-order/history/").content
    assert people["member"].post("/wiki/boot-order/version/2/revert/", {"base": 3}).status_code == 403


def test_what_was_told_about_a_page_counts_as_seen_there(people: dict[str, Client], page: Page, bob: Member) -> None:
    event = notifications.Event(Reason.NEW, kinds.WIKI_PAGE, page.pk, "/wiki/boot-order/", "Boot order", None)
    notifications.tell([bob.pk], event)
    assert b"/wiki/boot-order/seen/" in people["member"].get("/wiki/boot-order/").content
    people["member"].post("/wiki/boot-order/seen/")
    assert Notification.objects.get().seen
    assert b"/wiki/boot-order/seen/" not in people["member"].get("/wiki/boot-order/").content


def test_reading_writes_nothing(people: dict[str, Client], page: Page) -> None:
    for path in ("", "history/", "links/", "version/1/", "compare/", "edit/"):
        with CaptureQueriesContext(connection) as captured:
            people["member"].get(f"/wiki/boot-order/{path}")
        assert [row["sql"] for row in captured if not row["sql"].startswith("SELECT")] == []


def test_text_that_brings_a_script_is_harmless_in_every_field(ada: Member) -> None:
    client = signed_in(ada)
    attacks = [attack.replace("\0", "") for attack in ATTACKS]  # forms refuse NUL, and PostgreSQL cannot store it
    for number, attack in enumerate(attacks):
        page = writing.create(title=f"Page {number}", source=f"# {attack}\n\n# b\n\n# c\n\n{attack}", author=ada)
        change(page, ada, f"> {attack}\n\n[[{attack}]] [[x|{attack}]]")
        Change.objects.filter(page=page).update(reason=attack[:200])
        Page.objects.filter(pk=page.pk).update(title=attack[:120])
        for path in ("", "history/", "version/1/", "compare/", "compare/?view=side", "edit/"):
            assert_page_harmless(client.get(f"/wiki/page-{number}/{path}").content.decode())
        page.refresh_from_db()
        assert_harmless(page.html)
    for path in ("", "-/changes/", "-/pages/", "-/orphans/", "-/wanted/"):
        assert_page_harmless(client.get(f"/wiki/{path}").content.decode())


class PageReader(HTMLParser):
    """Reads a whole page as a browser would, and notes what could act in it."""

    def __init__(self) -> None:
        super().__init__()
        self.acting: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "base", "style", "img", "video", "math"):
            self.acting.append(tag)
        if tag == "script" and not values.get("src", "").startswith("/static/"):
            self.acting.append(tag)
        if tag == "form" and not values.get("action", "/").startswith(("/", "?")):
            self.acting.append(f"form {values}")
        for name, value in values.items():
            low = "".join(value.split()).lower()
            if name.startswith("on") or (
                name in ("href", "src", "action") and low.startswith(("javascript:", "data:"))
            ):
                self.acting.append(f"{tag} {name}={value}")


def assert_page_harmless(html: str) -> None:
    reader = PageReader()
    reader.feed(html)
    reader.close()
    assert reader.acting == []


ADDRESSES = (
    "/wiki/",
    "/wiki/-/pages/",
    "/wiki/-/changes/",
    "/wiki/-/changes/feed.atom",
    "/wiki/-/wanted/",
    "/wiki/-/orphans/",
    "/wiki/hub/",
    "/wiki/hub/history/",
    "/wiki/hub/links/",
    "/wiki/hub/edit/",
    "/wiki/hub/compare/",
    "/wiki/nowhere/",
    "/m/ada/",
)


def test_pages_take_as_many_queries_for_thirty_as_for_one(ada: Member, bob: Member) -> None:
    hub = writing.create(title="Hub", source="[[Wanted 0]] [[Nowhere]]", author=ada)
    fill(hub, ada, 1)
    one = {address: count_queries(signed_in(bob), address, answers=(200, 404)) for address in ADDRESSES}
    fill(hub, ada, 30)
    assert {address: count_queries(signed_in(bob), address, answers=(200, 404)) for address in ADDRESSES} == one


def fill(hub: Page, ada: Member, count: int) -> None:
    """Let there be so many pages, changes, links and wishes more, of so many members."""
    for number in range(count):
        author = make_member(f"m{count}-{number}")
        writing.create(title=f"Page {count} {number}", source=f"[[Hub]] [[Nowhere]] [[W {number}]]", author=author)
        writing.create(title=f"Alone {count} {number}", source="x", author=author)
        change(hub, author, f"# a\n# b\n# c\n[[Nowhere]] [[Page {count} {number}]] [[Wanted {number}]]")
    change(hub, ada, f"# a\n# b\n# c {count}\n" + " ".join(f"[[None {number}]]" for number in range(count)))


@pytest.mark.parametrize("name", ["pages", "changes", "wanted", "orphans"])
def test_list_goes_on_by_key_and_shows_each_once(ada: Member, name: str) -> None:
    for number in range(125):
        writing.create(title=f"Page {number}", source=f"[[Wanted {number}]]", author=ada)
    client, seen, address = signed_in(None), [], "?"
    while address:
        shown = client.get(f"/wiki/-/{name}/{address}").content.decode()
        seen += re.findall(r">(?:Page|Wanted) (\d+)</a>", shown)
        address = "".join(re.findall(r'rel="next" href="(\?after=[^"]+)"', shown))
    assert sorted(map(int, seen)) == list(range(125))


def test_feed_of_changes_says_what_was_done(people: dict[str, Client], page: Page, bob: Member) -> None:
    change(page, bob, "better")
    told: Any = feedparser.parse(people["visitor"].get("/wiki/-/changes/feed.atom").content)  # type: ignore[no-untyped-call]
    assert [(entry.title, entry.author) for entry in told.entries] == [
        ("Boot order: changed", "bob"),
        ("Boot order: new page", "ada"),
    ]


def test_page_has_a_list_of_its_headings(people: dict[str, Client], page: Page, ada: Member) -> None:
    change(page, ada, "# One\n\n## Two & half\n\n# Three")
    shown = people["visitor"].get("/wiki/boot-order/").content.decode()
    assert '<h3 id="s-two-half">Two &amp; half</h3>' in shown
    assert '<li class="level-3"><a href="#s-two-half">Two &amp; half</a></li>' in shown


def test_member_takes_along_what_was_written(page: Page, ada: Member, bob: Member) -> None:
    change(page, bob, "better")
    assert [piece.title for piece in activity.of(ada, bob)] == ["Boot order"]
    told = "".join(export.text(ada))
    assert "Then the network." in told
    assert "better" not in told


def test_edits_are_limited(people: dict[str, Client], page: Page) -> None:
    answers = [people["member"].post("/wiki/boot-order/edit/", form(f"{n}", base=n + 1)).status_code for n in range(31)]
    assert answers == [302] * 30 + [429]


def test_made_and_protected_stand_in_the_history(people: dict[str, Client], page: Page, moderator: Member) -> None:
    managing.protect(page, Level.KNOWN, actor=moderator, reason="edit war")
    shown = people["visitor"].get("/wiki/boot-order/history/").content.decode()
    assert "members whom the site knows: edit war" in shown
    assert Change.objects.order_by("-pk")[0].what == What.PROTECTED


def test_silenced_member_sees_the_source_only(people: dict[str, Client], page: Page, bob: Member) -> None:
    Member.objects.filter(pk=bob.pk).update(silenced_until=timezone.now() + timedelta(hours=1))
    assert people["member"].get("/wiki/boot-order/edit/").status_code == 403
    assert people["member"].get("/wiki/nothing/edit/").status_code == 403

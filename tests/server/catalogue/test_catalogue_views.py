"""The pages of the catalogue: who may see and do what, how many queries they take, what forms refuse."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from allauth.account.models import EmailAddress
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from catalogue_site import bill, make_appliance, make_publisher
from hostile_texts import ATTACKS, assert_harmless, assert_no_script
from jeos.model.image import Port
from jeos.model.publication import Download
from jeos.model.recipe import Property
from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member, Trust
from jeos.server.catalogue import publishers, publishing, reviewing, tasks
from jeos.server.catalogue.models import Appliance, Power, Publisher, Review, Seat, Star, Verdict, Verified, Version
from jeos.server.content import following, kinds
from jeos.server.content.models import Attachment, Case, Notification, Revision, Tagged
from jeos.server.forum import posting
from jeos.server.forum.models import Category
from jeos.server.ideas import suggesting
from server_site import count_queries, make_member, signed_in, statuses

pytestmark = pytest.mark.django_db
OPEN = [200, 200, 200, 200, 200]
MEMBERS = [401, 200, 200, 200, 200]
WEB = "/catalogue/@acme/web/"


@pytest.fixture
def appliance(ada: Member) -> Appliance:
    return make_appliance(ada)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/catalogue/", OPEN),
        ("/catalogue/?tag=web&architecture=amd64&licence=MIT&publisher=acme", OPEN),
        ("/catalogue/?verified=1", OPEN),
        ("/catalogue/?tag=%00", OPEN),
        ("/catalogue/?q=proxies", OPEN),
        ("/catalogue/starred/", OPEN),
        ("/catalogue/mine/", MEMBERS),
        ("/catalogue/feed.rss", OPEN),
        ("/catalogue/feed.pdf", [404] * 5),
        ("/catalogue/publish", [405] * 5),
        ("/catalogue/publish/", MEMBERS),
        ("/catalogue/@acme/", OPEN),
        ("/catalogue/@nobody/", [404] * 5),
        ("/catalogue/@acme/-/manage/", [401, 403, 200, 403, 200]),
        ("/catalogue/@acme/-/seat/", [405] * 5),
        ("/catalogue/@acme/-/verify/", [405] * 5),
        (WEB, OPEN),
        ("/catalogue/@acme/other/", [404] * 5),
        ("/catalogue/@nobody/web/", [404] * 5),
        (f"{WEB}feed.atom", OPEN),
        (f"{WEB}star/", [405] * 5),
        (f"{WEB}versions/", OPEN),
        (f"{WEB}versions/1.0/", OPEN),
        (f"{WEB}versions/2.0/", [404] * 5),
        (f"{WEB}versions/1.0/sbom/", OPEN),
        (f"{WEB}review/", [401, 200, 403, 200, 200]),
        ("/catalogue/reviews/{r}/", OPEN),
        ("/catalogue/reviews/{r}/history/", OPEN),
        ("/catalogue/reviews/999999/", [404] * 5),
        ("/flag/8/{a}/", MEMBERS),
        ("/flag/20/{r}/", MEMBERS),
    ],
)
def test_page_is_for_whom_it_should_be(
    people: dict[str, Client], appliance: Appliance, path: str, wanted: list[int]
) -> None:
    review = reviewing.review(
        appliance, author=make_member("eve"), runs="1.0", verdict=Verdict.GOOD, source="It *runs*."
    )
    assert statuses(people, path.format(a=appliance.pk, r=review.pk)) == wanted


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        (f"{WEB}star/", {"want": "1"}, [401, 302, 302, 302, 302]),
        (f"{WEB}star/", {}, [401, 302, 302, 302, 302]),
        (f"{WEB}review/", {"runs": "1.0", "verdict": "1", "source": "x"}, [401, 302, 403, 302, 302]),
        (f"{WEB}review/", {"runs": "7.0", "verdict": "1", "source": "x"}, [401, 200, 403, 200, 200]),
        (f"{WEB}review/", {"runs": "1.0", "verdict": "9", "source": "x"}, [401, 200, 403, 200, 200]),
        ("/catalogue/@acme/-/manage/", {"title": "ACME"}, [401, 403, 302, 403, 302]),
        ("/catalogue/@acme/-/seat/", {"handle": "bob", "power": "1"}, [401, 403, 302, 403, 302]),
        ("/catalogue/@acme/-/seat/", {"handle": "nobody", "power": "1"}, [401, 403, 200, 403, 200]),
        ("/catalogue/@acme/-/seat/", {"handle": "ada", "power": "0"}, [401, 403, 200, 403, 200]),
        ("/catalogue/@acme/-/give-up/", {}, [401, 302, 302, 302, 302]),
        (f"{WEB}take-down/", {"down": "1"}, [401, 403, 302, 403, 302]),
        (f"{WEB}versions/1.0/withdraw/", {"withdrawn": "1"}, [401, 403, 302, 403, 403]),
        (f"{WEB}versions/9.0/withdraw/", {"withdrawn": "1"}, [401, 404, 404, 404, 404]),
        ("/catalogue/@acme/-/verify/", {"verified": "1"}, [401, 403, 403, 403, 302]),
        ("/catalogue/@acme/-/hide/", {"hidden": "1"}, [401, 403, 403, 302, 302]),
        ("/catalogue/publish/", {"name": "acme", "title": "Again"}, MEMBERS),
        ("/catalogue/publish/", {"name": "-x", "title": "Again"}, MEMBERS),
        ("/follow/appliance/{a}/", {"level": "1"}, [401, 302, 302, 302, 302]),
        ("/bookmark/8/{a}/", {}, [401, 302, 302, 302, 302]),
        ("/flag/8/{a}/", {"reason": "1"}, MEMBERS),
    ],
)
def test_move_is_for_whom_it_should_be(
    people: dict[str, Client], appliance: Appliance, path: str, data: dict[str, str], wanted: list[int]
) -> None:
    assert statuses(people, path.format(a=appliance.pk), data) == wanted


def test_hidden_appliance_is_for_its_publisher_and_moderators(
    people: dict[str, Client], appliance: Appliance, bob: Member
) -> None:
    review = reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.GOOD, source="It proxies well.")
    publishing.set_hidden(appliance.pk, True)
    wanted = [404, 404, 200, 200, 200]
    for address in (WEB, f"{WEB}versions/", f"{WEB}versions/1.0/", f"{WEB}versions/1.0/sbom/"):
        assert statuses(people, address) == wanted, address
    assert statuses(people, f"/catalogue/reviews/{review.pk}/") == wanted
    assert statuses(people, f"{WEB}feed.atom") == [404] * 5
    for address in (
        *("/catalogue/", "/catalogue/starred/", "/catalogue/@acme/", "/catalogue/feed.atom", "/catalogue/?q=proxies"),
        *("/tags/web/", "/search/?q=proxies", "/m/ada/", "/m/bob/", "/catalogue/?tag=web"),
    ):
        assert "Web front" not in people["member"].get(address).content.decode(), address
    assert statuses(people, f"{WEB}star/", {"want": "1"})[1:] == [404, 403, 403, 403]
    assert Star.objects.count() == 0


def test_hidden_publisher_takes_its_appliances_along_and_brings_back_what_was_shown(
    people: dict[str, Client], appliance: Appliance, moderator: Member
) -> None:
    publisher = appliance.publisher
    other = make_appliance(appliance.by, publisher, name="db", title="Data base")  # type: ignore[arg-type]
    publishing.set_hidden(other.pk, True)
    publishers.set_hidden(publisher, True, actor=moderator)
    assert statuses(people, WEB) == [404, 404, 200, 200, 200]
    assert statuses(people, "/catalogue/@acme/") == [404, 404, 200, 200, 200]
    publishers.set_hidden(publisher, False, actor=moderator)
    assert statuses(people, WEB) == OPEN
    assert statuses(people, "/catalogue/@acme/db/") == [404, 404, 200, 200, 200]


def test_owner_takes_an_appliance_down_and_moderators_still_decide(
    people: dict[str, Client], appliance: Appliance, ada: Member
) -> None:
    people["author"].post(f"{WEB}take-down/", {"down": "1"})
    assert statuses(people, WEB) == [404, 404, 200, 200, 200]
    assert "Web front" not in people["visitor"].get("/catalogue/").content.decode()
    make_appliance(ada, None, "1.1", root_hash="c" * 64)
    assert statuses(people, WEB)[0] == 404
    people["author"].post(f"{WEB}take-down/", {"down": "0"})
    assert statuses(people, WEB) == OPEN
    assert "Web front" in people["visitor"].get("/tags/web/").content.decode()
    publishing.set_hidden(appliance.pk, True)
    people["author"].post(f"{WEB}take-down/", {"down": "0"})
    assert statuses(people, WEB) == [404, 404, 200, 200, 200]


def test_withdrawn_version_is_not_the_newest(people: dict[str, Client], ada: Member) -> None:
    appliance = make_appliance(ada)
    make_appliance(ada, None, "1.1", root_hash="c" * 64)
    people["author"].post(f"{WEB}versions/1.1/withdraw/", {"withdrawn": "1"})
    appliance.refresh_from_db()
    assert appliance.newest == "1.0"
    assert "machines no longer take it" in people["visitor"].get(f"{WEB}versions/1.1/").content.decode()
    assert "Web front 1.1" not in people["visitor"].get("/catalogue/feed.atom").content.decode()
    Version.objects.filter(version="1.1").update(signed=True)  # a channel lists it: that is where it is withdrawn
    assert people["author"].post(f"{WEB}versions/1.1/withdraw/", {"withdrawn": "0"}).status_code == 403


def test_page_shows_what_was_published(people: dict[str, Client], appliance: Appliance) -> None:
    page = people["visitor"].get(WEB).content.decode()
    for words in (
        *("Web front", "A proxy", "It <em>proxies</em>.", "<strong>new</strong>", "MIT", "512 MiB", "80/tcp (http)"),
        *(
            "curl -fLO https://files.example/web_1.0.qcow2",
            "jeos run web_1.0.qcow2 --memory 512M --port 8080:80",
            "It must be given: domain.",
        ),
        *("sha256sum -c", "1.0", "no channel", "not looked for yet", "CycloneDX"),
    ):
        assert words in page, words
    page = people["visitor"].get(f"{WEB}versions/1.0/").content.decode()
    for words in ("3 packages", "libssl3t64", "3.5.1-1", "a" * 64):
        assert words in page, words
    sent = people["visitor"].get(f"{WEB}versions/1.0/sbom/")
    assert sent.json() == bill()
    assert sent.headers["Content-Disposition"] == 'attachment; filename="web_1.0.cdx.json"'


def test_version_shows_what_changed_since_the_one_before(people: dict[str, Client], ada: Member) -> None:
    make_appliance(ada, None, "1.0")
    packages = {"openssl": "3.5.1-1+deb13u1", "libssl3t64": "3.5.0-1 openssl", "lego": "4.22.2-1"}
    make_appliance(ada, None, "1.1", root_hash="c" * 64, sbom=bill(packages), date=1_790_100_000)
    page = people["visitor"].get(f"{WEB}versions/1.1/").content.decode()
    for words in (
        *("1 upgraded", "1 downgraded", "1 added", "1 removed", "What changed since"),
        "<b>openssl</b> <del>3.5.1-1</del> <ins>3.5.1-1+deb13u1</ins>",
    ):
        assert words in page, words


def test_lists_are_narrowed_and_searched(people: dict[str, Client], ada: Member, administrator: Member) -> None:
    make_appliance(ada)
    make_appliance(ada, None, name="clock", title="Clock", tags=("time",), licence="GPL-2.0-only", architecture="arm64")
    other = make_publisher(administrator, "zenith")
    make_appliance(administrator, other, name="vault", title="Vault", description="keeps secrets", tags=())
    publishers.vouch(other, Verified.TEAM, actor=administrator)

    def titles(query: str) -> set[str]:
        page = people["visitor"].get(f"/catalogue/{query}").content.decode()
        return {name for name in ("Web front", "Clock", "Vault") if f">{name}</a></h2>" in page}

    assert titles("") == {"Web front", "Clock", "Vault"}
    assert titles("?tag=time") == {"Clock"}
    assert titles("?licence=MIT") == {"Web front", "Vault"}
    assert titles("?licence=MIT&verified=1") == {"Vault"}
    assert titles("?architecture=arm64") == {"Clock"}
    assert titles("?publisher=acme&tag=web") == {"Web front"}
    assert titles("?tag=nothing") == set()
    assert titles("?q=secrets") == {"Vault"}
    assert titles("?q=front&architecture=arm64") == set()
    assert titles("?q=%22%22") == set()


def test_star_without_and_with_htmx(people: dict[str, Client], appliance: Appliance) -> None:
    client = people["member"]
    assert 'aria-pressed="true"' in client.post(f"{WEB}star/", {"want": "1"}, follow=True).content.decode()
    assert client.post(f"{WEB}star/", {"want": "1"}).status_code == 302
    assert "Web front" in client.get("/catalogue/mine/").content.decode()
    appliance.refresh_from_db()
    assert appliance.stars == 1
    part = client.post(f"{WEB}star/", {"want": "0"}, headers={"hx-request": "true"}).content.decode()
    assert ("<html" in part, 'aria-pressed="false"' in part) == (False, True)
    appliance.refresh_from_db()
    assert (appliance.stars, Star.objects.count()) == (0, 0)


def test_star_of_a_visitor_leads_to_sign_in_and_back_to_the_appliance(
    appliance: Appliance, bob: Member, client: Client
) -> None:
    EmailAddress.objects.create(user=bob, email="bob@mail.example", verified=True, primary=True)
    came = {"Referer": f"http://testserver{WEB}"}
    answer = client.post(f"{WEB}star/", {"want": "1"}, headers=came)
    to_sign_in = "/accounts/login/?next=/catalogue/%40acme/web/"
    assert answer.headers["Location"] == to_sign_in
    part = client.post(f"{WEB}star/", {"want": "1"}, headers={**came, "HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, to_sign_in)
    elsewhere = client.post(f"{WEB}star/", {"want": "1"}, headers={"Referer": "https://evil.example/x"})
    assert elsewhere.headers["Location"] == "/accounts/login/?next=/"
    signed = client.post(to_sign_in, {"login": "bob", "password": "correct horse", "next": WEB})
    assert signed.headers["Location"] == WEB
    assert not Star.objects.exists()


def test_filter_looks_chosen_only_where_it_is(appliance: Appliance, client: Client) -> None:
    def side(address: str) -> str:
        page = client.get(address).content.decode()
        return page.partition('id="side-verified"')[2].partition("</nav>")[0]

    free, chosen = side("/catalogue/"), side("/catalogue/?verified=1")
    assert [("aria-current" in part, "take off" in part, "<svg" in part) for part in (free, chosen)] == [
        (False, False, False),
        (True, True, False),
    ]


def test_review_is_one_for_each_member_and_keeps_its_history(people: dict[str, Client], appliance: Appliance) -> None:
    client = people["member"]
    client.post(f"{WEB}review/", {"runs": "1.0", "verdict": "1", "source": "It *runs*."})
    client.post(f"{WEB}review/", {"runs": "1.0", "verdict": "3", "source": "It ran."})
    review = Review.objects.get()
    assert (review.verdict, review.source, review.version) == (Verdict.BAD, "It ran.", 2)
    appliance.refresh_from_db()
    assert (appliance.reviews, appliance.recommended) == (1, 0)
    assert "<ins>" in people["visitor"].get(f"/catalogue/reviews/{review.pk}/history/").content.decode()
    page = people["visitor"].get(WEB).content.decode()
    assert "does not recommend it" in page
    assert "runs 1.0" in page
    assert "Change your review" in client.get(WEB).content.decode()
    kind = kinds.find(kinds.REVIEW)
    assert kind is not None
    kind.set_hidden(review.pk, True)
    appliance.refresh_from_db()
    assert (appliance.reviews, "It ran." in people["visitor"].get(WEB).content.decode()) == (0, False)
    assert "It ran." in client.get(WEB).content.decode()
    assert statuses(people, f"/catalogue/reviews/{review.pk}/") == [404, 200, 404, 200, 200]
    assert "/catalogue/reviews/" not in people["visitor"].get("/search/?q=ran").content.decode()


def test_review_with_many_links_of_a_new_member_waits(
    people: dict[str, Client], appliance: Appliance, bob: Member
) -> None:
    Member.objects.filter(pk=bob.pk).update(trust=Trust.NEW)
    links = " ".join(f"https://example.org/{number}" for number in range(4))
    people["member"].post(f"{WEB}review/", {"runs": "1.0", "verdict": "1", "source": links})
    assert (Review.objects.get().hidden, Case.objects.count()) == (True, 1)
    assert "example.org" not in people["visitor"].get(WEB).content.decode()


def test_silenced_member_reviews_and_stars_nothing(
    people: dict[str, Client], appliance: Appliance, bob: Member
) -> None:
    Member.objects.filter(pk=bob.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    assert people["member"].get(WEB).status_code == 200
    assert people["member"].post(f"{WEB}star/", {"want": "1"}).status_code == 403
    assert people["member"].get(f"{WEB}review/").status_code == 403
    assert people["member"].post("/catalogue/publish/", {"name": "mine", "title": "Mine"}).status_code == 403


def test_owner_gives_seats_and_the_last_owner_stays(
    people: dict[str, Client], appliance: Appliance, bob: Member
) -> None:
    people["author"].post("/catalogue/@acme/-/seat/", {"handle": "@Bob", "power": "1"})
    assert Seat.objects.get(member=bob).power == Power.MAINTAINER
    assert people["member"].get("/catalogue/@acme/-/manage/").status_code == 403
    assert people["member"].get(f"{WEB}review/").status_code == 403  # who publishes it does not review it
    page = people["author"].post("/catalogue/@acme/-/give-up/", follow=True).content.decode()
    assert "Somebody must own the page." in page
    people["author"].post("/catalogue/@acme/-/seat/", {"handle": "bob", "power": "2"})
    people["author"].post("/catalogue/@acme/-/give-up/")
    assert [seat.member_id for seat in Seat.objects.all()] == [bob.pk]


def test_publisher_is_made_by_any_member_up_to_a_number(people: dict[str, Client], bob: Member) -> None:
    for number in range(publishers.MOST):
        publishers.make(f"mine{number}", title="Mine", about="", home_page="", owner=bob)
    answer = people["member"].post("/catalogue/publish/", {"name": "more", "title": "More"})
    assert (answer.status_code, Publisher.objects.count()) == (200, publishers.MOST)
    for address in ("javascript:alert(1)", "ftp://example.org/", "https://user@example.org/"):
        data = {"name": "fine", "title": "Fine", "home_page": address}
        assert people["author"].post("/catalogue/publish/", data).status_code == 200
    answer = people["author"].post("/catalogue/publish/", {"name": "Fine", "title": "Fine", "home_page": ""})
    assert answer.headers["Location"] == "/catalogue/@fine/"


def test_who_follows_is_told_of_a_new_version_once(ada: Member, bob: Member) -> None:
    appliance = make_appliance(ada)
    following.set_level(bob, kinds.APPLIANCE, appliance.pk, 1)
    make_appliance(ada, None, "1.1", root_hash="c" * 64)
    version = Version.objects.get(version="1.1")
    for _ in range(2):  # the worker may have died in between
        tasks.announce.call(version.pk)
    told = Notification.objects.get(member=bob)
    assert (told.title, told.url, told.count) == ("Web front 1.1", f"{WEB}versions/1.1/", 1)
    make_appliance(ada, None, "1.1", root_hash="c" * 64)
    assert DBTaskResult.objects.filter(task_path__endswith="catalogue.tasks.announce").count() == 2  # none for the same


def test_publishers_are_told_of_a_review(ada: Member, bob: Member) -> None:
    appliance = make_appliance(ada)
    review = reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.GOOD, source="Thanks, @ada.")
    for _ in range(2):
        tasks.announce_review.call(review.pk)
    told = Notification.objects.filter(member=ada)
    assert [row.url for row in told] == [f"/catalogue/reviews/{review.pk}/"]
    signed_in(ada).get(f"/catalogue/reviews/{review.pk}/")
    assert told.get().seen


def test_what_has_its_tag_or_name_stands_on_the_page(
    people: dict[str, Client], appliance: Appliance, bob: Member, category: Category, team_room: Category
) -> None:
    suggesting.post(author=bob, title="Cache for the proxy", source="x", tag_names=["web"])
    posting.start(author=bob, category=category, title="Which port", source="x", tag_names=["web"])
    posting.start(author=bob, category=team_room, title="Secret plans", source="x", tag_names=["web"])
    page = people["visitor"].get(WEB).content.decode()
    assert ("Cache for the proxy" in page, "Which port" in page, "Secret plans" in page) == (True, True, False)
    assert "Secret plans" in people["moderator"].get(WEB).content.decode()
    assert set(Tagged.objects.values_list("kind", flat=True)) == {kinds.APPLIANCE, kinds.IDEA, kinds.THREAD}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_field_lets_a_script_through(people: dict[str, Client], ada: Member, bob: Member, attack: str) -> None:
    attack = "".join(sign for sign in attack if sign.isprintable() or sign == "\n")
    line = attack.replace("\n", " ")[:190]
    appliance = make_appliance(
        ada,
        title=line,
        summary=line,
        vendor=line,
        licence=line,
        description=attack,
        changes=attack,
        ports=(Port(80, name=line),),
        properties=(Property(name=line, type=line, label=line, default=line, required=True),),
        sbom=bill({"x": "1"}) | {"metadata": attack},
        downloads=(Download("qcow2", "https://files.example/x;touch+y%20&.qcow2"),),
    )
    publisher = appliance.publisher
    Publisher.objects.filter(pk=publisher.pk).update(title=line, about=attack)
    review = reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.GOOD, source=attack)
    reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.GOOD, source=f"{attack} more")
    appliance.refresh_from_db()
    assert_harmless(appliance.html)
    review.refresh_from_db()
    assert_harmless(review.html)
    for address in (
        *("/catalogue/", WEB, f"{WEB}versions/", f"{WEB}versions/1.0/", "/catalogue/@acme/", f"{WEB}review/"),
        *(f"/catalogue/reviews/{review.pk}/", f"/catalogue/reviews/{review.pk}/history/", "/catalogue/publish/"),
        *("/catalogue/?tag=" + line.replace("&", "%26").replace("#", "%23").replace(";", "%3b"), "/tags/web/"),
    ):
        assert_no_script(people["member"].get(address).content.decode())
    assert_no_script(people["administrator"].get("/catalogue/@acme/-/manage/").content.decode())


def test_forms_need_their_token(ada: Member, bob: Member) -> None:
    make_appliance(ada)
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob, backend="jeos.server.accounts.backends.Passphrases")
    for address in (f"{WEB}star/", f"{WEB}review/", "/catalogue/publish/", "/catalogue/@acme/-/give-up/"):
        assert client.post(address, {"want": "1"}).status_code == 403, address
    assert (Star.objects.count(), Review.objects.count(), Publisher.objects.count()) == (0, 0, 1)


def test_lists_go_on_by_key_to_their_ends(people: dict[str, Client], ada: Member) -> None:
    for number in range(65):
        appliance = make_appliance(ada, name=f"app-{number}", sbom=None, tags=("web",))
        Appliance.objects.filter(pk=appliance.pk).update(stars=number % 7)
    for address in ("/catalogue/", "/catalogue/starred/", "/catalogue/?tag=web", "/catalogue/@acme/"):
        seen: list[str] = []
        at = address
        while at:
            page = people["visitor"].get(at).content.decode()
            seen += [part.split("/")[0] for part in page.split('<h2 class="title"><a href="/catalogue/@acme/')[1:]]
            rest = page.partition('rel="next" href="')[2]
            path = address.partition("?")[0]
            at = f"{path}{rest.partition(chr(34))[0].replace('&amp;', '&')}" if rest else ""
        assert (len(seen), len(set(seen))) == (65, 65), address


def read(feed: bytes) -> Any:
    """Return what a feed reader makes of a feed."""
    return feedparser.parse(feed)  # type: ignore[no-untyped-call]


def test_feeds_have_the_newest_versions(people: dict[str, Client], ada: Member) -> None:
    make_appliance(ada)
    make_appliance(ada, None, "1.1", root_hash="c" * 64, changes="later")
    make_appliance(ada, None, "1.0", name="other", title="Other")
    found = read(people["visitor"].get("/catalogue/feed.atom").content)
    assert [entry.title for entry in found.entries] == ["Other 1.0", "Web front 1.1", "Web front 1.0"]
    found = read(people["visitor"].get(f"{WEB}feed.rss").content)
    assert [(entry.title, entry.summary) for entry in found.entries] == [
        ("Web front 1.1", "<p>later</p>"),
        ("Web front 1.0", "<ul>\n<li><strong>new</strong></li>\n</ul>"),
    ]


PAGES = [
    *("/catalogue/", "/catalogue/starred/", "/catalogue/?tag=web", "/catalogue/@acme/", "/catalogue/feed.atom"),
    *(
        WEB,
        f"{WEB}versions/",
        f"{WEB}versions/1.0/",
        f"{WEB}feed.rss",
        "/tags/web/",
        "/m/ada/",
        "/catalogue/?q=proxies",
    ),
]
MOST_QUERIES = 20  # of any of these pages, session and member included


def test_review_takes_files_without_a_script(
    people: dict[str, Client], appliance: Appliance, tmp_path: Path, settings: Settings
) -> None:
    settings.FILES = tmp_path / "files"
    log = SimpleUploadedFile("boot.log", b"[    0.000000] Linux\n")
    said = {"runs": "1.0", "verdict": Verdict.GOOD, "source": "It boots:", "files-source": log}
    people["member"].post(f"{WEB}review/", said)
    (file,) = Attachment.objects.all()
    assert Review.objects.get().source == f"It boots:\n\n{file.markdown}"
    assert statuses(people, file.url) == OPEN


def test_thread_about_an_appliance_begins_on_its_page_and_stands_there(
    people: dict[str, Client], appliance: Appliance, category: Category, bob: Member
) -> None:
    begin = "/forum/new/?tags=web"
    assert f'href="{begin}"' in people["member"].get(WEB).content.decode()
    assert f'href="{begin}"' not in people["visitor"].get(WEB).content.decode()
    form = people["member"].get(begin).content.decode()
    assert 'name="tags" value="web"' in form
    posting.start(category, author=bob, title="How do you run it?", source="x", tag_names=["web"])
    assert "How do you run it?" in people["visitor"].get(WEB).content.decode()
    publishing.set_hidden(appliance.pk, True)
    assert begin not in people["author"].get(WEB).content.decode()


@pytest.mark.parametrize("who", ["visitor", "member", "moderator"])
def test_number_of_queries_does_not_grow_with_the_rows(people: dict[str, Client], ada: Member, who: str) -> None:
    counts: list[dict[str, int]] = []
    publisher = make_publisher(ada)
    for amount in (1, 25):
        for number in range(amount):
            publishers.seat(publisher, make_member(f"helper-{amount}-{number}"), power=Power.MAINTAINER)
            make_appliance(ada, publisher, name=f"app-{amount}-{number}")
        versions = [f"{1 if amount == 1 else 2}.{number}" for number in range(amount)]
        web = make_appliance(ada, publisher, *versions)
        make_appliance(ada, publisher, "1.0")
        for number in range(amount):
            reader = make_member(f"reader-{amount}-{number}")
            reviewing.review(web, author=reader, runs="1.0", verdict=Verdict.GOOD, source="x")
            reviewing.star(web, reader, wanted=True)
            suggesting.post(author=reader, title=f"Idea {amount} {number}", source="x", tag_names=["web"])
        counts.append({page: count_queries(people[who], page) for page in PAGES})
    # The first time there was no older version to compare with, and no second kind among the related.
    assert all(counts[1][page] <= counts[0][page] + 1 for page in counts[0]), counts
    assert max(counts[1].values()) <= MOST_QUERIES, counts[1]


def test_member_takes_along_and_leaves(people: dict[str, Client], ada: Member, bob: Member) -> None:
    appliance = make_appliance(ada)
    reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.GOOD, source="It runs.")
    reviewing.star(appliance, bob, wanted=True)
    data = b"".join(signed_in(bob).post("/settings/data/download/").streaming_content).decode()  # type: ignore[attr-defined]
    assert '"stars of appliances": [\n{"appliance": "/catalogue/@acme/web/"' in data
    assert '"source": "It runs."' in data
    data = b"".join(signed_in(ada).post("/settings/data/download/").streaming_content).decode()  # type: ignore[attr-defined]
    assert '"publisher": "/catalogue/@acme/"' in data
    leaving.leave(bob)
    leaving.leave(ada)
    appliance.refresh_from_db()
    assert (appliance.stars, Star.objects.count(), Seat.objects.count()) == (0, 0, 0)
    page = people["visitor"].get(WEB).content.decode()
    assert "It runs." in page
    assert "a former member" in page


def test_history_of_reviews_is_in_content(people: dict[str, Client], appliance: Appliance, bob: Member) -> None:
    reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.GOOD, source="one")
    reviewing.review(appliance, author=bob, runs="1.0", verdict=Verdict.MIXED, source="one")
    assert Revision.objects.count() == 0

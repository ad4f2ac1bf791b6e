"""The pages of the practices: who may see and do what, how many queries they take, what forms refuse."""

from datetime import timedelta
from typing import Any

import feedparser
import pytest
from django.test import Client
from django.utils import timezone

from hostile_texts import ATTACKS, assert_harmless
from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.content import comments, kinds
from jeos.server.content.models import Case
from jeos.server.practices import proving, rating, writing
from jeos.server.practices.models import PARTS, Practice, Rating, Review, State, Verdict
from server_site import count_queries, make_member, signed_in, statuses

pytestmark = pytest.mark.django_db
OPEN = [200, 200, 200, 200, 200]
MEMBERS = [401, 200, 200, 200, 200]
AUTHORS = [404, 404, 200, 200, 200]
FORM = {
    "title": "Keep the data apart",
    "problem": "p *soft*",
    "context": "c",
    "practice": "do",
    "evidence": "e",
    "months": "12",
}


def make(author: Member, title: str = "Keep the data apart", text: str = "zebra", **options: object) -> Practice:
    wanted = writing.Wanted(title=title, parts=dict.fromkeys(PARTS, text), tags=["disk"], **options)  # type: ignore[arg-type]
    return writing.draft(wanted, author=author)


def make_proven(author: Member, title: str = "Keep the data apart", text: str = "zebra") -> Practice:
    practice = make(author, title, text)
    writing.submit(practice)
    for number in range(2):
        peer, _ = Member.objects.get_or_create(handle=f"peer-{number}", defaults={"email": f"p{number}@mail.example"})
        proving.review(practice, reviewer=peer, verdict=Verdict.APPROVE, source=text)
    return practice


@pytest.fixture
def draft(ada: Member) -> Practice:
    return make(ada)


@pytest.fixture
def waiting(ada: Member) -> Practice:
    practice = make(ada)
    writing.submit(practice)
    return practice


@pytest.fixture
def proven(ada: Member) -> Practice:
    return make_proven(ada)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/practices/", OPEN),
        ("/practices/top/", OPEN),
        ("/practices/review/", OPEN),
        ("/practices/mine/", MEMBERS),
        ("/practices/feed.rss", OPEN),
        ("/practices/review/feed.atom", OPEN),
        ("/practices/feed.pdf", [404] * 5),
        ("/practices/write/", MEMBERS),
        ("/practices/{p}/", [301] * 5),
        ("/practices/{p}/other-words/", [301] * 5),
        ("/practices/{p}/keep-the-data-apart/", OPEN),
        ("/practices/999999/", [404] * 5),
        ("/practices/99999999999999999999/", [404] * 5),
        ("/practices/{p}/edit/", [401, 403, 200, 200, 200]),
        ("/practices/{p}/history/", OPEN),
        ("/practices/{p}/submit/", [405] * 5),
        ("/practices/{p}/review/", [405] * 5),
        ("/practices/{p}/rate/", [405] * 5),
        ("/practices/{p}/renew/", [405] * 5),
        ("/practices/ratings/1/hide/", [405] * 5),
        ("/flag/5/{p}/", MEMBERS),
        ("/comment/5/{p}/", MEMBERS),
    ],
)
def test_page_is_for_whom_it_should_be(
    people: dict[str, Client], proven: Practice, path: str, wanted: list[int]
) -> None:
    assert statuses(people, path.format(p=proven.pk)) == wanted


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("/practices/{p}/rate/", {"stars": "5", "reason": "it helped us"}, [401, 302, 403, 302, 302]),
        ("/practices/{p}/rate/", {"stars": "9", "reason": "it helped us"}, [401, 200, 403, 200, 200]),
        ("/practices/{p}/rate/", {"stars": "5", "reason": "short"}, [401, 200, 403, 200, 200]),
        ("/practices/{p}/renew/", {}, [401, 403, 302, 302, 302]),
        ("/practices/{p}/submit/", {}, [401, 403, 403, 403, 403]),
        ("/practices/{p}/review/", {"verdict": "1", "source": "yes"}, [401, 403, 403, 403, 403]),
        ("/practices/ratings/{r}/hide/", {}, [401, 403, 403, 302, 302]),
        ("/practices/ratings/999999/hide/", {}, [401, 403, 403, 404, 404]),
        ("/practices/{p}/edit/", FORM, [401, 403, 302, 302, 302]),
        ("/comment/5/{p}/", {"source": "yes"}, [401, 302, 302, 302, 302]),
        ("/follow/practice/{p}/", {"level": "1"}, [401, 302, 302, 302, 302]),
        ("/bookmark/5/{p}/", {}, [401, 302, 302, 302, 302]),
        ("/flag/5/{p}/", {"reason": "1"}, MEMBERS),
    ],
)
def test_move_is_for_whom_it_should_be(
    people: dict[str, Client], proven: Practice, path: str, data: dict[str, str], wanted: list[int]
) -> None:
    rating.rate(proven, member=make_member("cleo"), stars=3, reason="it helped us")
    assert statuses(people, path.format(p=proven.pk, r=Rating.objects.get().pk), data) == wanted


@pytest.mark.parametrize(
    ("trust", "status"), [(Trust.NEW, 403), (Trust.BASIC, 403), (Trust.KNOWN, 302), (Trust.LEADER, 302)]
)
def test_peers_are_whom_the_site_knows(
    people: dict[str, Client], waiting: Practice, bob: Member, trust: Trust, status: int
) -> None:
    Member.objects.filter(pk=bob.pk).update(trust=trust)
    data = {"verdict": "1", "source": "I do it so."}
    assert people["member"].post(f"/practices/{waiting.pk}/review/", data).status_code == status
    page = people["member"].get(waiting.get_absolute_url()).content.decode()
    assert ('name="verdict"' in page) == (status == 302)
    assert Review.objects.count() == (status == 302)


def test_review_is_for_peers_but_never_the_author(people: dict[str, Client], waiting: Practice, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(trust=Trust.LEADER, role=Role.ADMINISTRATOR)
    address = f"/practices/{waiting.pk}/review/"
    assert statuses(people, address, {"verdict": "1", "source": "yes"}) == [401, 403, 403, 302, 302]
    waiting.refresh_from_db()
    assert (waiting.state, waiting.approvals) == (State.PROVEN, 2)


def test_review_needs_words_and_a_verdict(people: dict[str, Client], waiting: Practice) -> None:
    for data in ({"verdict": "1", "source": " "}, {"verdict": "7", "source": "yes"}, {"source": "yes"}):
        answer = people["moderator"].post(f"/practices/{waiting.pk}/review/", data)
        assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (200, True)
    assert Review.objects.count() == 0


def test_draft_is_for_its_author_and_moderators(people: dict[str, Client], draft: Practice) -> None:
    assert statuses(people, draft.get_absolute_url()) == AUTHORS
    assert statuses(people, f"/practices/{draft.pk}/history/") == AUTHORS
    assert statuses(people, f"/practices/{draft.pk}/edit/") == [401, 404, 200, 200, 200]
    assert statuses(people, f"/comment/5/{draft.pk}/") == [401, 404, 404, 404, 404]
    assert statuses(people, f"/flag/5/{draft.pk}/") == [401, 404, 404, 404, 404]
    for address in ("/practices/", "/practices/review/", "/search/?q=zebra", "/m/ada/", "/practices/review/feed.rss"):
        assert "apart" not in people["member"].get(address).content.decode(), address
    assert "apart" in people["author"].get("/practices/mine/").content.decode()
    assert statuses(people, f"/practices/{draft.pk}/submit/", {}) == [401, 404, 302, 403, 403]
    assert "apart" in people["visitor"].get("/practices/review/").content.decode()


def test_hidden_practice_is_for_its_author_and_moderators(people: dict[str, Client], proven: Practice) -> None:
    writing.set_hidden(proven.pk, True)
    assert statuses(people, proven.get_absolute_url()) == AUTHORS
    for address in (
        "/practices/",
        "/practices/top/",
        "/tags/disk/",
        "/search/?q=zebra",
        "/m/ada/",
        "/practices/feed.rss",
    ):
        assert "apart" not in people["member"].get(address).content.decode(), address
    rate = {"stars": "5", "reason": "it helped us"}
    assert statuses(people, f"/practices/{proven.pk}/rate/", rate) == [401, 404, 403, 403, 403]
    assert statuses(people, f"/practices/{proven.pk}/renew/", {}) == [401, 404, 403, 403, 403]
    assert statuses(people, f"/practices/{proven.pk}/edit/") == [401, 404, 403, 200, 200]


def test_practice_is_written_by_form(people: dict[str, Client], bob: Member) -> None:
    client = people["member"]
    answer = client.post("/practices/write/", {**FORM, "keep": "1", "tags": "Disk, data", "holds_for": "jeos 1"})
    practice = Practice.objects.get(author=bob)
    assert (answer.status_code, answer.headers["Location"]) == (302, practice.get_absolute_url())
    assert (practice.state, practice.holds_for, set(practice.tags.split())) == (State.DRAFT, "jeos 1", {"disk", "data"})
    client.post(f"/practices/{practice.pk}/edit/", {**FORM, "practice": "do *this*", "submit": "1"})
    practice.refresh_from_db()
    assert (practice.state, practice.html["practice"]) == (State.REVIEW, "<p>do <em>this</em></p>\n")
    client.post("/practices/write/", {**FORM, "title": "Another practice", "submit": "1"})
    assert Practice.objects.get(title="Another practice").state == State.REVIEW
    client.post(f"/practices/{practice.pk}/edit/", {**FORM, "practice": "do that", "reason": "better"})
    assert "<ins>" in people["visitor"].get(f"/practices/{practice.pk}/history/").content.decode()


@pytest.mark.parametrize(
    "change",
    [
        *({"title": "Word"}, {"problem": ""}, {"context": " "}, {"practice": "x" * 9_001}, {"evidence": ""}),
        *({"months": "7"}, {"months": "x"}, {"problem": "nul\x00 byte"}, {"organisation": "x" * 81}),
    ],
)
def test_practice_that_makes_no_sense_is_not_kept(people: dict[str, Client], change: dict[str, str]) -> None:
    answer = people["member"].post("/practices/write/", {**FORM, **change})
    assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (200, True)
    assert Practice.objects.count() == 0


def test_preview_writes_nothing(people: dict[str, Client], proven: Practice) -> None:
    for address in ("/practices/write/", f"/practices/{proven.pk}/edit/"):
        page = people["author"].post(address, {**FORM, "preview": "1"}).content.decode()
        assert "<em>soft</em>" in page
    proven.refresh_from_db()
    assert (Practice.objects.count(), proven.state, proven.version) == (1, State.PROVEN, 1)


def test_silenced_member_writes_and_judges_nothing(people: dict[str, Client], waiting: Practice, bob: Member) -> None:
    until = timezone.now() + timedelta(days=1)
    Member.objects.filter(pk=bob.pk).update(silenced_until=until, trust=Trust.LEADER)
    client = people["member"]
    assert client.get(waiting.get_absolute_url()).status_code == 200
    assert client.get("/practices/write/").status_code == 403
    assert client.post(f"/practices/{waiting.pk}/review/", {"verdict": "1", "source": "x"}).status_code == 403


def test_new_members_practice_with_many_links_waits(people: dict[str, Client], bob: Member) -> None:
    Member.objects.filter(pk=bob.pk).update(trust=Trust.NEW)
    links = " ".join(f"https://example.org/{number}" for number in range(4))
    people["member"].post("/practices/write/", {**FORM, "evidence": links, "submit": "1"})
    practice = Practice.objects.get()
    assert (practice.hidden, Case.objects.count()) == (True, 1)
    assert statuses(people, practice.get_absolute_url()) == [404, 200, 404, 200, 200]


def test_author_is_asked_and_renews_on_the_page(people: dict[str, Client], proven: Practice, ada: Member) -> None:
    Practice.objects.filter(pk=proven.pk).update(expires=timezone.now() - timedelta(minutes=1))
    proving.expire(proven.pk, now=timezone.now())
    assert "asks you to renew" in people["author"].get("/notifications/").content.decode()
    assert "may hold no more" in people["visitor"].get(proven.get_absolute_url()).content.decode()
    people["author"].post(f"/practices/{proven.pk}/renew/")
    ada.refresh_from_db()
    assert (Practice.objects.get().state, ada.unread) == (State.PROVEN, 0)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_field_lets_a_script_through(people: dict[str, Client], ada: Member, bob: Member, attack: str) -> None:
    attack = attack.replace("\x00", "")  # forms refuse NUL, and PostgreSQL cannot store it
    title = f"x y {attack}"[:120]
    practice = make_proven(ada, title, attack)
    writing.edit(
        practice,
        writing.Wanted(
            title=title, parts=dict.fromkeys(PARTS, f"{attack} more"), organisation=attack[:80], holds_for=attack[:120]
        ),
        editor=Member.objects.get(handle="mod"),
        reason=attack[:200],
    )
    rating.rate(practice, member=bob, stars=3, reason=attack)
    comments.write(kinds.PRACTICE, practice.pk, author=bob, source=attack)
    for html in (*practice.html.values(), writing.whole_html(practice), *(row.html for row in Review.objects.all())):
        assert_harmless(html)
    for address in ("/practices/", practice.get_absolute_url(), f"/practices/{practice.pk}/history/"):
        page = people["moderator"].get(address).content.decode().lower()
        for bad in ("<script>alert", "<img src=x", "<iframe", "<svg/onload", 'href="javascript:', "<base", "<style"):
            assert bad not in page, address


def test_forms_need_their_token(ada: Member, proven: Practice) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    for name in ("edit", "submit", "review", "rate", "renew"):
        assert client.post(f"/practices/{proven.pk}/{name}/", FORM).status_code == 403, name
    assert client.post("/practices/write/", FORM).status_code == 403
    assert Practice.objects.count() == 1


def test_lists_go_on_by_key_to_their_ends(people: dict[str, Client], ada: Member) -> None:
    for number in range(65):
        practice = make(ada, f"Practice number {number}")
        state = State.PROVEN if number < 35 else State.REVIEW
        now = timezone.now()
        Practice.objects.filter(pk=practice.pk).update(state=state, proven=now, submitted=now, score=number % 3)
    for address, wanted in (("/practices/", 35), ("/practices/top/", 35), ("/practices/review/", 30)):
        seen: list[str] = []
        at = address
        while at:
            page = people["visitor"].get(at).content.decode()
            seen += [part.split("/")[0] for part in page.split('<h2 class="title"><a href="/practices/')[1:]]
            rest = page.partition('rel="next" href="')[2]
            at = f"{address}{rest.partition(chr(34))[0]}" if rest else ""
        assert (len(seen), len(set(seen))) == (wanted, wanted), address


def read(feed: bytes) -> Any:
    """Return what a feed reader makes of a feed."""
    return feedparser.parse(feed)  # type: ignore[no-untyped-call]


def test_feed_has_the_proven_practices_with_their_texts(people: dict[str, Client], proven: Practice) -> None:
    (entry,) = read(people["visitor"].get("/practices/feed.atom").content).entries
    assert entry.title == "Keep the data apart"
    assert entry.content[0].value.count("zebra") == len(PARTS)
    assert read(people["visitor"].get("/practices/review/feed.rss").content).entries == []


PAGES = [
    *("/practices/", "/practices/top/", "/practices/review/", "/practices/feed.atom"),
    *("PRACTICE", "WAITING", "/tags/disk/", "/m/ada/"),
]
MOST_QUERIES = 14  # of any of these pages, session and member included


@pytest.mark.parametrize("who", ["visitor", "member", "moderator"])
def test_number_of_queries_does_not_grow_with_the_rows(people: dict[str, Client], ada: Member, who: str) -> None:
    counts: list[dict[str, int]] = []
    practice, waiting = make_proven(ada), make(ada, "Wait for peers")
    writing.submit(waiting)
    for amount in (1, 29):
        for number in range(amount):
            other = make_member(f"other-{amount}-{number}")
            make_proven(other, f"Practice {amount} {number}")
            make_proven(ada, f"Mine {amount} {number}")
            writing.submit(make(other, f"Waiting {amount} {number}"))
            rating.rate(practice, member=other, stars=number % 5 + 1, reason="it helped us")
            comments.write(kinds.PRACTICE, practice.pk, author=other, source="words")
            proving.review(waiting, reviewer=other, verdict=Verdict.OBJECT, source="not yet")
        addresses = {"PRACTICE": practice.get_absolute_url(), "WAITING": waiting.get_absolute_url()}
        counts.append({page: count_queries(people[who], addresses.get(page, page)) for page in PAGES})
    assert counts[0] == counts[1]
    assert max(counts[1].values()) <= MOST_QUERIES


def test_member_takes_practices_along_and_leaves_without_a_name(
    people: dict[str, Client], ada: Member, bob: Member, draft: Practice
) -> None:
    proven = make_proven(ada, "Keep it simple")
    Practice.objects.update(organisation="a name that tells")
    rating.rate(proven, member=bob, stars=3, reason="it helped us")
    data = b"".join(signed_in(ada).post("/settings/data/download/").streaming_content).decode()  # type: ignore[attr-defined]
    assert ('"state": "draft"' in data, '"title": "Keep it simple"' in data) == (True, True)
    data = b"".join(signed_in(bob).post("/settings/data/download/").streaming_content).decode()  # type: ignore[attr-defined]
    assert '"reason": "it helped us"' in data
    leaving.leave(ada)
    assert list(Practice.objects.values_list("title", "organisation")) == [("Keep it simple", "")]
    assert people["visitor"].get(proven.get_absolute_url()).status_code == 200

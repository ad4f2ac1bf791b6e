"""The pages of the ideas: who may see and do what, how many queries they take, what forms refuse."""

from datetime import timedelta
from typing import Any

import feedparser
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from hostile_texts import ATTACKS, assert_harmless
from jeos.server.accounts.models import Member, Trust
from jeos.server.content import comments, kinds
from jeos.server.content.models import Case, Draft, Revision, Tagged
from jeos.server.ideas import answering, suggesting, voting
from jeos.server.ideas.models import Idea, Status, Vote
from server_site import count_queries, make_member, signed_in, statuses

pytestmark = pytest.mark.django_db
OPEN = [200, 200, 200, 200, 200]
MEMBERS = [401, 200, 200, 200, 200]
MODERATORS = [401, 403, 403, 200, 200]


@pytest.fixture
def idea(ada: Member) -> Idea:
    return suggesting.post(author=ada, title="Smaller images", source="They *grow*.", tag_names=["size"])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/ideas/", OPEN),
        ("/ideas/top/", OPEN),
        ("/ideas/new/", OPEN),
        ("/ideas/roadmap/", OPEN),
        ("/ideas/mine/", MEMBERS),
        ("/ideas/status/planned/", OPEN),
        ("/ideas/status/open/", OPEN),
        ("/ideas/status/nothing/", [404] * 5),
        ("/ideas/feed.rss", OPEN),
        ("/ideas/new/feed.atom", OPEN),
        ("/ideas/status/done/feed.atom", OPEN),
        ("/ideas/status/nothing/feed.atom", [404] * 5),
        ("/ideas/feed.pdf", [404] * 5),
        ("/ideas/write/", MEMBERS),
        ("/ideas/similar/?title=smaller+images", MEMBERS),
        ("/ideas/{i}/", [301] * 5),
        ("/ideas/{i}/other-words/", [301] * 5),
        ("/ideas/{i}/smaller-images/", OPEN),
        ("/ideas/999999/", [404] * 5),
        ("/ideas/99999999999999999999/", [404] * 5),
        ("/ideas/{i}/vote/", [405] * 5),
        ("/ideas/{i}/edit/", [401, 403, 200, 200, 200]),
        ("/ideas/{i}/history/", OPEN),
        ("/ideas/{i}/answer/", MODERATORS),
        ("/ideas/{i}/merge/", MODERATORS),
        ("/flag/6/{i}/", MEMBERS),
        ("/comment/6/{i}/", MEMBERS),
    ],
)
def test_page_is_for_whom_it_should_be(people: dict[str, Client], idea: Idea, path: str, wanted: list[int]) -> None:
    assert statuses(people, path.format(i=idea.pk)) == wanted


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("/ideas/{i}/vote/", {"want": "1"}, [401, 302, 302, 302, 302]),
        ("/ideas/{i}/vote/", {}, [401, 302, 302, 302, 302]),
        ("/ideas/999999/vote/", {"want": "1"}, [401, 404, 404, 404, 404]),
        ("/ideas/{i}/edit/", {"title": "Small images", "source": "new"}, [401, 403, 302, 302, 302]),
        ("/ideas/{i}/answer/", {"status": "1", "source": "soon"}, [401, 403, 403, 302, 302]),
        ("/ideas/{i}/answer/", {"status": "9", "source": "soon"}, MODERATORS),
        ("/ideas/{i}/answer/", {"status": "1", "source": ""}, MODERATORS),
        ("/ideas/{i}/merge/", {"target": "{i}"}, MODERATORS),
        ("/ideas/{i}/merge/", {"target": "999999"}, MODERATORS),
        ("/ideas/{i}/merge/", {"target": "9" * 30}, MODERATORS),
        ("/comment/6/{i}/", {"source": "yes"}, [401, 302, 302, 302, 302]),
        ("/follow/idea/{i}/", {"level": "1"}, [401, 302, 302, 302, 302]),
        ("/bookmark/6/{i}/", {}, [401, 302, 302, 302, 302]),
        ("/flag/6/{i}/", {"reason": "1"}, MEMBERS),
    ],
)
def test_move_is_for_whom_it_should_be(
    people: dict[str, Client], idea: Idea, path: str, data: dict[str, str], wanted: list[int]
) -> None:
    sent = {name: value.format(i=idea.pk) for name, value in data.items()}
    assert statuses(people, path.format(i=idea.pk), sent) == wanted


def test_hidden_idea_is_for_its_author_and_moderators(people: dict[str, Client], idea: Idea, bob: Member) -> None:
    voting.vote(idea, bob, wanted=True)
    comment = comments.write(kinds.IDEA, idea.pk, author=bob, source="a comment on it")
    answering.set_hidden(idea.pk, True)
    wanted = [404, 404, 200, 200, 200]
    assert statuses(people, idea.get_absolute_url()) == wanted
    assert statuses(people, f"/ideas/{idea.pk}/history/") == wanted
    for address in (
        *("/ideas/", "/ideas/top/", "/ideas/new/", "/ideas/mine/", "/ideas/status/open/", "/ideas/feed.atom"),
        *("/tags/size/", "/search/?q=grow", "/search/?q=comment", "/m/ada/", "/m/bob/"),
        "/ideas/similar/?title=smaller+images",
    ):
        assert "maller" not in people["member"].get(address).content.decode().replace("q=smaller", ""), address
    assert statuses(people, f"/ideas/{idea.pk}/vote/", {"want": "1"}) == [401, 404, 403, 403, 403]
    assert statuses(people, f"/comments/{comment.pk}/") == [404] * 5
    assert statuses(people, f"/comment/6/{idea.pk}/", {"source": "x"})[1:] == [404] * 4


def test_merged_idea_leads_to_the_other(people: dict[str, Client], idea: Idea, bob: Member, moderator: Member) -> None:
    target = suggesting.post(author=bob, title="Tiny images", source="x")
    answer = people["moderator"].post(f"/ideas/{idea.pk}/merge/", {"target": target.pk})
    assert (answer.status_code, answer.headers["Location"]) == (302, target.get_absolute_url())
    answer = people["visitor"].get(idea.get_absolute_url())
    assert (answer.status_code, answer.headers["Location"]) == (301, target.get_absolute_url())
    assert statuses(people, f"/ideas/{idea.pk}/vote/", {"want": "1"})[1:] == [404] * 4
    assert statuses(people, f"/ideas/{idea.pk}/edit/")[1:] == [404] * 4


def test_silenced_member_writes_and_votes_nothing(people: dict[str, Client], idea: Idea, bob: Member) -> None:
    Member.objects.filter(pk=bob.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    client = people["member"]
    assert client.get(idea.get_absolute_url()).status_code == 200
    assert client.get("/ideas/write/").status_code == 403
    assert client.post(f"/ideas/{idea.pk}/vote/", {"want": "1"}).status_code == 403
    assert client.post(f"/comment/6/{idea.pk}/", {"source": "x"}).status_code == 403
    assert Vote.objects.count() == 0


def test_author_changes_an_idea_until_it_is_answered(people: dict[str, Client], idea: Idea, moderator: Member) -> None:
    address = f"/ideas/{idea.pk}/edit/"
    data = {"title": "Small  images", "source": "They do *not* grow.", "tags": "images", "reason": "clearer"}
    people["author"].post(address, data)
    idea.refresh_from_db()
    assert (idea.title, idea.slug, idea.tags, idea.version) == ("Small images", "small-images", "images", 2)
    assert list(Tagged.objects.filter(kind=kinds.IDEA).values_list("tag__name", flat=True)) == ["images"]
    assert Revision.objects.filter(kind=kinds.IDEA, number=idea.pk).count() == 2
    assert "<ins>" in people["visitor"].get(f"/ideas/{idea.pk}/history/").content.decode()
    answering.answer(idea, status=Status.PLANNED, source="soon", actor=moderator)
    assert statuses(people, address) == [401, 403, 403, 200, 200]


def test_idea_is_posted_after_a_look_at_similar_ones(people: dict[str, Client], idea: Idea, bob: Member) -> None:
    client = people["member"]
    client.post("/draft/", {"place": "ideas.new", "source": "half", "title": "Images"})
    assert "half" in client.get("/ideas/write/").content.decode()
    data = {"title": "Even smaller images", "source": "Tell *me*.", "tags": "Size, disk"}
    page = client.post("/ideas/write/", data).content.decode()
    assert f'href="{idea.get_absolute_url()}"' in page
    assert Idea.objects.count() == 1
    answer = client.post("/ideas/write/", {**data, "seen": "1"})
    made = Idea.objects.get(author=bob)
    assert (answer.status_code, answer.headers["Location"]) == (302, made.get_absolute_url())
    assert (set(made.tags.split()), Draft.objects.count()) == ({"disk", "size"}, 0)
    answer = client.post("/ideas/write/", {"title": "Quite another matter", "source": "x"})
    assert answer.status_code == 302  # nothing like it: posted at once


@pytest.mark.parametrize(
    "change", [{"title": "Word"}, {"title": ""}, {"title": "x y " * 60}, {"source": " "}, {"source": "nul\x00 byte"}]
)
def test_idea_that_makes_no_sense_is_not_posted(people: dict[str, Client], change: dict[str, str]) -> None:
    answer = people["member"].post("/ideas/write/", {"title": "Some words", "source": "text", **change})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert Idea.objects.count() == 0


def test_preview_writes_nothing(people: dict[str, Client], idea: Idea) -> None:
    for address in ("/ideas/write/", f"/ideas/{idea.pk}/edit/"):
        data = {"title": "Some words", "source": "*soft*", "preview": "1"}
        assert "<em>soft</em>" in people["author"].post(address, data).content.decode()
    data = {"status": "3", "source": "*soft*", "preview": "1"}
    assert "<em>soft</em>" in people["moderator"].post(f"/ideas/{idea.pk}/answer/", data).content.decode()
    assert (Idea.objects.count(), Idea.objects.get().status, Revision.objects.count()) == (1, Status.OPEN, 0)


def test_vote_without_and_with_htmx(people: dict[str, Client], idea: Idea, settings: Settings) -> None:
    settings.IDEA_VOTES = 1
    client, address = people["member"], f"/ideas/{idea.pk}/vote/"
    assert 'aria-pressed="true"' in client.post(address, {"want": "1"}, follow=True).content.decode()
    part = client.post(address, {"want": "0"}, headers={"hx-request": "true"}).content.decode()
    assert ("<html" in part, 'aria-pressed="false"' in part, "1 vote left" in part) == (False, True, True)
    other = suggesting.post(author=Member.objects.get(handle="ada"), title="Another thing", source="x")
    client.post(address, {"want": "1"})
    part = client.post(f"/ideas/{other.pk}/vote/", {"want": "1"}, headers={"hx-request": "true"}).content.decode()
    assert "spent all your votes" in part
    page = client.post(f"/ideas/{other.pk}/vote/", {"want": "1"}, follow=True).content.decode()
    assert "spent all your votes" in page
    assert Vote.objects.count() == 1


def test_new_members_idea_with_many_links_waits(people: dict[str, Client], bob: Member) -> None:
    Member.objects.filter(pk=bob.pk).update(trust=Trust.NEW)
    links = " ".join(f"https://example.org/{number}" for number in range(4))
    people["member"].post("/ideas/write/", {"title": "Look at this", "source": links, "tags": "size"})
    idea = Idea.objects.get()
    assert (idea.hidden, Case.objects.count(), Tagged.objects.count()) == (True, 1, 0)
    assert statuses(people, idea.get_absolute_url()) == [404, 200, 404, 200, 200]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_field_lets_a_script_through(people: dict[str, Client], ada: Member, moderator: Member, attack: str) -> None:
    attack = attack.replace("\x00", "")  # forms refuse NUL, and PostgreSQL cannot store it
    title = f"x y {attack}"[:120]
    idea = suggesting.post(author=ada, title=title, source=attack)
    answering.answer(idea, status=Status.PLANNED, source=attack, actor=moderator)
    comment = comments.write(kinds.IDEA, idea.pk, author=ada, source=attack)
    comments.edit(comment, editor=ada, source=f"{attack} more", reason=attack[:200])
    suggesting.edit(idea, editor=ada, title=title, source=f"{attack} more", tag_names=[], reason=attack[:200])
    idea.refresh_from_db()
    for html in (idea.html, idea.answer_html, comment.html):
        assert_harmless(html)
    pages = (
        *("/ideas/", "/ideas/roadmap/", idea.get_absolute_url(), f"/ideas/{idea.pk}/history/"),
        *(f"/comments/{comment.pk}/history/", f"/ideas/{idea.pk}/answer/", f"/ideas/{idea.pk}/merge/"),
    )
    for address in pages:
        page = people["moderator"].get(address).content.decode().lower()
        for bad in ("<script>alert", "<img src=x", "<iframe", "<svg/onload", 'href="javascript:', "<base", "<style"):
            assert bad not in page, address


def test_forms_need_their_token(ada: Member, idea: Idea) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    for address in ("write/", f"{idea.pk}/vote/", f"{idea.pk}/edit/", f"{idea.pk}/answer/", f"{idea.pk}/merge/"):
        assert client.post(f"/ideas/{address}", {"source": "x", "want": "1"}).status_code == 403, address
    assert (Idea.objects.count(), Vote.objects.count()) == (1, 0)


def test_lists_go_on_by_key_to_their_ends(people: dict[str, Client], ada: Member) -> None:
    for number in range(65):
        idea = suggesting.post(author=ada, title=f"Idea number {number}", source="x")
        Idea.objects.filter(pk=idea.pk).update(votes=number % 7)
    for address in ("/ideas/", "/ideas/top/", "/ideas/new/", "/ideas/status/open/"):
        seen: list[str] = []
        at = address
        while at:
            page = people["visitor"].get(at).content.decode()
            seen += [part.split("/")[0] for part in page.split('<h2 class="title"><a href="/ideas/')[1:]]
            rest = page.partition('rel="next" href="')[2]
            at = f"{address}{rest.partition(chr(34))[0]}" if rest else ""
        assert (len(seen), len(set(seen))) == (65, 65), address


def read(feed: bytes) -> Any:
    """Return what a feed reader makes of a feed."""
    return feedparser.parse(feed)  # type: ignore[no-untyped-call]


def test_feed_has_the_newest_ideas_with_their_texts(people: dict[str, Client], idea: Idea, moderator: Member) -> None:
    found = read(people["visitor"].get("/ideas/feed.atom").content)
    assert [(entry.title, entry.content[0].value) for entry in found.entries] == [
        ("Smaller images", "<p>They <em>grow</em>.</p>")
    ]
    assert read(people["visitor"].get("/ideas/status/done/feed.rss").content).entries == []
    answering.answer(idea, status=Status.DONE, source="there", actor=moderator)
    assert len(read(people["visitor"].get("/ideas/status/done/feed.rss").content).entries) == 1


PAGES = [
    *("/ideas/", "/ideas/top/", "/ideas/new/", "/ideas/roadmap/", "/ideas/status/planned/", "/ideas/feed.atom"),
    *("IDEA", "/tags/size/", "/search/?q=words", "/m/ada/"),
]
MOST_QUERIES = 14  # of any of these pages, session and member included


@pytest.mark.parametrize("who", ["visitor", "member", "moderator"])
def test_number_of_queries_does_not_grow_with_the_rows(
    people: dict[str, Client], ada: Member, bob: Member, moderator: Member, settings: Settings, who: str
) -> None:
    settings.IDEA_VOTES = 100
    counts: list[dict[str, int]] = []
    for amount in (1, 29):
        for number in range(amount):
            author = make_member(f"author-{amount}-{number}")
            idea = suggesting.post(author=author, title=f"Idea {amount} {number}", source="words", tag_names=["size"])
            for voter in (bob, moderator):
                voting.vote(idea, voter, wanted=True)
            if number % 2 == 0:
                answering.answer(idea, status=Status.PLANNED, source="words", actor=moderator)
            mine = suggesting.post(author=ada, title=f"Mine {amount} {number}", source="words", tag_names=["size"])
            comments.write(kinds.IDEA, idea.pk, author=ada, source="words")
        for number in range(amount):
            comments.write(kinds.IDEA, mine.pk, author=make_member(f"reader-{amount}-{number}"), source="words")
        pages = [mine.get_absolute_url() if page == "IDEA" else page for page in PAGES]
        pages += ["/ideas/mine/"] if who != "visitor" else []
        counts.append(
            {name: count_queries(people[who], page) for name, page in zip([*PAGES, "mine"], pages, strict=False)}
        )
    # A search stops as soon as it has found enough.
    assert all(counts[1][page] <= counts[0][page] for page in counts[0]), counts
    assert max(counts[1].values()) <= MOST_QUERIES


def test_member_takes_ideas_and_votes_along(people: dict[str, Client], idea: Idea, ada: Member, bob: Member) -> None:
    voting.vote(idea, bob, wanted=True)
    comments.write(kinds.IDEA, idea.pk, author=bob, source="a comment")
    data = b"".join(signed_in(bob).post("/settings/data/download/").streaming_content).decode()  # type: ignore[attr-defined]
    assert '"votes": [\n{"title": "Smaller images"' in data
    assert '"source": "a comment"' in data
    assert "Smaller images" in people["visitor"].get("/m/ada/").content.decode()

"""Comments: written, changed, hidden, counted, found, told; for whom their pages are."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import comments, following, kinds, moderation, search, tasks
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.content.models import Case, Comment, Draft, FlagReason, Notification, Outcome, Revision
from server_site import make_member, signed_in

pytestmark = pytest.mark.django_db
KIND = kinds.SESSION
ADDRESS = f"/comment/{KIND}/7/"


class Talks:
    """A kind of content with one public piece, 7, and one that only moderators read, 8."""

    def __init__(self) -> None:
        self.counted: dict[int, int] = {}

    def cards(self, numbers: list[int], member: Member | None) -> dict[int, Card]:
        staff = member is not None and member.moderates
        shown = [number for number in numbers if number == 7 or (number == 8 and staff)]
        now = timezone.now()
        return {number: Card(KIND, number, "A talk", f"/talks/{number}/", "ada", now) for number in shown}

    def body(self, number: int) -> Body | None:
        return Body(None, "A talk", f"/talks/{number}/", "words", hidden=False)

    def count(self, number: int, change: int) -> None:
        self.counted[number] = self.counted.get(number, 0) + change


@pytest.fixture(autouse=True)
def talks() -> Iterator[Talks]:
    """Let there be a kind of content that takes comments, whatever sections there are."""
    known, made = kinds._kinds.pop(KIND, None), Talks()
    kinds.register(Kind(KIND, "talk", "talk", made.cards, made.body, lambda number, hidden: None, None, made.count))  # type: ignore[arg-type]
    yield made
    del kinds._kinds[KIND]
    if known is not None:
        kinds.register(known)


def found(text: str) -> list[tuple[int, int]]:
    return [(hit.kind, hit.number) for hit in search.index().find(search.parse(text), limit=9)]


def test_comment_is_counted_found_and_told(talks: Talks, ada: Member, bob: Member) -> None:
    cleo = make_member("cleo")
    following.set_level(ada, KIND, 7, 1)
    comment = comments.write(KIND, 7, author=bob, source="a *zebra* for @cleo")
    tasks.announce_comment.func(comment.pk)
    tasks.announce_comment.func(comment.pk)  # a second time changes nothing
    told = Notification.objects.order_by("member__handle").values_list("member__handle", "reason", "count", "url")
    address = f"/comments/{comment.pk}/"
    assert list(told) == [("ada", 6, 1, address), ("cleo", 1, 1, address)]
    assert (talks.counted, found("zebra")) == ({7: 1}, [(kinds.COMMENT, comment.pk)])
    assert following.level(bob, KIND, 7) == 1
    bob.refresh_from_db()
    assert (bob.posts, bob.days_active) == (1, 1)
    assert cleo.pk != bob.pk


def test_change_keeps_what_was(bob: Member) -> None:
    comment = comments.write(KIND, 7, author=bob, source="a zebra")
    comments.edit(comment, editor=bob, source="a zebra")
    assert Revision.objects.count() == 0
    comments.edit(comment, editor=bob, source="a lion", reason="it was one")
    assert list(Revision.objects.order_by("version").values_list("version", "source", "reason")) == [
        (1, "a zebra", ""),
        (2, "a lion", "it was one"),
    ]
    assert (found("zebra"), found("lion")) == ([], [(kinds.COMMENT, comment.pk)])
    page = Client().get(f"/comments/{comment.pk}/history/").content.decode()
    assert "<del>zebra</del>" in page
    assert "<ins>lion</ins>" in page


def test_hidden_comment_is_not_counted_and_not_found(talks: Talks, ada: Member, bob: Member, moderator: Member) -> None:
    comment = comments.write(KIND, 7, author=bob, source="a zebra")
    case = moderation.flag(kinds.COMMENT, comment.pk, member=ada, reason=FlagReason.RUDE)
    moderation.decide(case, Outcome.HIDDEN, moderator=moderator)
    comments.set_hidden(comment.pk, True)  # once more changes nothing
    assert (talks.counted, found("zebra")) == ({7: 0}, [])
    shown = [len(comments.talk(KIND, 7, who, after=None, now=timezone.now()).comments) for who in (None, ada, bob)]
    assert shown == [0, 0, 1]
    assert [signed_in(who).get(f"/comments/{comment.pk}/").status_code for who in (None, ada, bob, moderator)] == [
        404,
        404,
        302,
        302,
    ]
    case.refresh_from_db()
    moderation.undo(case, moderator=moderator)
    assert (talks.counted, found("zebra")) == ({7: 1}, [(kinds.COMMENT, comment.pk)])


def test_new_members_comment_with_many_links_waits(talks: Talks, bob: Member) -> None:
    Member.objects.filter(pk=bob.pk).update(trust=Trust.NEW)
    bob.refresh_from_db()
    links = " ".join(f"https://example.org/{n}" for n in range(4))
    comment = comments.write(KIND, 7, author=bob, source=links)
    assert (comment.hidden, talks.counted, Case.objects.count()) == (True, {}, 1)


def test_long_talk_has_pages_and_every_comment_its_place(bob: Member) -> None:
    made = [comments.write(KIND, 7, author=bob, source=f"word {number}") for number in range(comments.PAGE + 2)]
    first = comments.talk(KIND, 7, None, after=None, now=timezone.now())
    second = comments.talk(KIND, 7, None, after=str(first.after), now=timezone.now())
    assert [row.pk for row in (*first.comments, *second.comments)] == [comment.pk for comment in made]
    assert (second.after, second.later) == (0, True)
    assert comments.place(made[0], "/talks/7/") == f"/talks/7/#c{made[0].pk}"
    assert comments.place(made[-1], "/talks/7/") == f"/talks/7/?comments={made[-1].pk - 1}#c{made[-1].pk}"
    for nonsense in ("x", "-1", "9" * 40, "٣"):
        assert comments.talk(KIND, 7, None, after=nonsense, now=timezone.now()).comments is not None


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        (ADDRESS, None, [401, 200, 200, 200]),
        (ADDRESS, {"source": "yes"}, [401, 302, 302, 302]),
        (ADDRESS, {"source": " "}, [401, 200, 200, 200]),
        (f"/comment/{KIND}/8/", {"source": "yes"}, [401, 404, 404, 302]),
        (f"/comment/{KIND}/9/", {"source": "yes"}, [401, 404, 404, 404]),
        (f"/comment/{kinds.POST}/1/", {"source": "yes"}, [401, 404, 404, 404]),
        ("/comment/99/1/", None, [401, 404, 404, 404]),
        ("/comments/{c}/", None, [302, 302, 302, 302]),
        ("/comments/999999/", None, [404, 404, 404, 404]),
        ("/comments/{c}/edit/", None, [401, 403, 200, 200]),
        ("/comments/{c}/edit/", {"source": "new"}, [401, 403, 302, 302]),
        ("/comments/{c}/history/", None, [200, 200, 200, 200]),
        ("/flag/9/{c}/", None, [401, 200, 200, 200]),
    ],
)
def test_page_is_for_whom_it_should_be(
    ada: Member, bob: Member, moderator: Member, path: str, data: dict[str, str] | None, wanted: list[int]
) -> None:
    comment = comments.write(KIND, 7, author=ada, source="first")
    got = []
    for who in (None, bob, ada, moderator):
        client, address = signed_in(who), path.format(c=comment.pk)
        answer = client.get(address) if data is None else client.post(address, data)
        login = answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
        got.append(401 if login else answer.status_code)
    assert got == wanted


def test_preview_writes_nothing_and_sending_ends_the_draft(bob: Member) -> None:
    client = signed_in(bob)
    client.post("/draft/", {"place": f"comment.{KIND}.7", "source": "half"})
    assert "half" in client.get(ADDRESS).content.decode()
    page = client.post(ADDRESS, {"source": "*soft* <script>alert(1)</script>", "preview": "1"}).content.decode()
    assert "<em>soft</em>" in page
    assert "<script>alert" not in page
    assert Comment.objects.count() == 0
    client.post(ADDRESS, {"source": "whole"})
    assert (Comment.objects.get().source, Draft.objects.count()) == ("whole", 0)

"""The API as programs meet it: who may do what, errors, lists, changes that meet."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from jeos.server.accounts.models import Member, Role, Token, Trust
from jeos.server.blog import posting as blogging
from jeos.server.blog.posting import Writing
from jeos.server.content import comments, kinds
from jeos.server.content.models import Case, Comment, Notification
from jeos.server.forum import moderating, posting
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.ideas import suggesting
from jeos.server.ideas.models import Idea
from jeos.server.wiki import writing
from jeos.server.wiki.models import Page
from server_program import API, Program, programs

pytestmark = pytest.mark.django_db
THREAD = {"category": "building", "title": "No network after it", "source": "It says *no link*.", "tags": ["uefi"]}


@pytest.fixture
def thread(category: Category, ada: Member) -> Thread:
    return posting.start(category, author=ada, title="No network after it", source="It says *no link*.")


@pytest.mark.parametrize(
    ("method", "path", "value", "expected"),
    [
        ("GET", "/threads", None, [200, 200, 200, 200, 200, 200]),
        ("GET", "/threads/{thread}", None, [200, 200, 200, 200, 200, 200]),
        ("GET", "/threads/{secret}", None, [404, 404, 404, 404, 404, 200]),
        ("GET", "/threads/{secret}/posts", None, [404, 404, 404, 404, 404, 200]),
        ("GET", "/posts/{secret_post}", None, [404, 404, 404, 404, 404, 200]),
        ("GET", "/posts/{hidden}", None, [404, 404, 200, 404, 200, 200]),
        ("GET", "/me", None, [401, 401, 200, 200, 200, 200]),
        ("GET", "/notifications", None, [401, 401, 200, 200, 200, 200]),
        ("POST", "/threads", THREAD, [401, 401, 403, 201, 201, 201]),
        ("POST", "/threads", THREAD | {"category": "team"}, [401, 401, 403, 422, 422, 201]),
        ("POST", "/threads/{thread}/posts", {"source": "Me too."}, [401, 401, 403, 201, 201, 201]),
        ("POST", "/threads/{secret}/posts", {"source": "Me too."}, [401, 401, 403, 404, 404, 201]),
        ("POST", "/threads/{closed}/posts", {"source": "Me too."}, [401, 401, 403, 403, 403, 201]),
        ("PATCH", "/posts/{post}", {"source": "It works now."}, [401, 401, 403, 403, 200, 200]),
        ("PATCH", "/posts/{hidden}", {"source": "It works now."}, [401, 401, 403, 404, 403, 200]),
        ("POST", "/ideas", {"title": "Boot from tape", "source": "So."}, [401, 401, 403, 201, 201, 201]),
        ("PUT", "/ideas/{idea}/vote", None, [401, 401, 403, 200, 200, 200]),
        ("DELETE", "/ideas/{idea}/vote", None, [401, 401, 403, 200, 200, 200]),
        ("POST", "/comments", {"kind": "idea", "about": "{idea}", "source": "Yes."}, [401, 401, 403, 201, 201, 201]),
        ("POST", "/comments", {"kind": "thread", "about": "{thread}", "source": "No"}, [401, 401, 403, 404, 404, 404]),
        ("PATCH", "/comments/{comment}", {"source": "No."}, [401, 401, 403, 403, 200, 200]),
        ("POST", "/flags", {"kind": "thread", "about": "{thread}", "reason": "spam"}, [401, 401, 403, 204, 204, 204]),
        ("POST", "/flags", {"kind": "thread", "about": "{secret}", "reason": "spam"}, [401, 401, 403, 404, 404, 204]),
        ("PUT", "/wiki/pages/boot-order", {"base": 1, "source": "Else."}, [401, 401, 403, 200, 200, 200]),
        ("POST", "/wiki/pages", {"title": "Boot order", "source": "Else."}, [401, 401, 403, 409, 409, 409]),
        ("POST", "/notifications/seen", None, [401, 401, 403, 204, 204, 204]),
        ("POST", "/blog/posts", {"title": "Hello", "source": "World."}, [401, 401, 403, 201, 201, 201]),
        ("POST", "/blog/posts/{blog}/withdraw", None, [401, 401, 403, 403, 200, 404]),
        ("DELETE", "/blog/posts/{blog}", None, [401, 401, 403, 403, 403, 403]),
        ("DELETE", "/blog/posts/{draft}", None, [401, 401, 403, 404, 204, 404]),
        ("PUT", "/blog/posts/{blog}/reactions/thanks", None, [401, 401, 403, 200, 403, 200]),
        ("DELETE", "/blog/posts/{blog}/reactions/thanks", None, [401, 401, 403, 200, 403, 200]),
        ("PUT", "/blog/authors/ada/following", {"level": "followed"}, [401, 401, 403, 200, 200, 200]),
        ("GET", "/bookmarks", None, [401, 401, 200, 200, 200, 200]),
        ("PUT", "/bookmarks/idea/{idea}", None, [401, 401, 403, 204, 204, 204]),
        ("PUT", "/bookmarks/thread/{secret}", None, [401, 401, 403, 404, 404, 204]),
        ("DELETE", "/bookmarks/idea/{idea}", None, [401, 401, 403, 204, 204, 204]),
        ("GET", "/following/idea/{idea}", None, [401, 401, 200, 200, 200, 200]),
        ("PUT", "/following/idea/{idea}", {"level": "muted"}, [401, 401, 403, 200, 200, 200]),
        ("PUT", "/following/thread/{secret}", {"level": "muted"}, [401, 401, 403, 404, 404, 200]),
        ("PUT", "/following/idea/{idea}", {"level": "loud"}, [401, 401, 403, 422, 422, 422]),
        ("PUT", "/tags/uefi/following", {"level": "followed"}, [401, 401, 403, 200, 200, 200]),
        ("PUT", "/tags/nothing/following", {"level": "followed"}, [401, 401, 403, 404, 404, 404]),
    ],
)
def test_each_caller_may_do_what_the_pages_let_him(
    category: Category,
    team_room: Category,
    thread: Thread,
    ada: Member,
    bob: Member,
    moderator: Member,
    method: str,
    path: str,
    value: dict[str, object] | None,
    expected: list[int],
) -> None:
    secret = posting.start(team_room, author=moderator, title="For us alone", source="Secret.")
    closed = posting.start(category, author=ada, title="It is closed now", source="Closed.")
    moderating.switch(closed, "closed", True, actor=moderator)
    hidden = posting.reply(thread, category, author=ada, source="Rude.")
    moderating.set_post_hidden(hidden.pk, True)
    idea = suggesting.post(author=ada, title="Boot from a share", source="It would help.")
    writing.create(title="Boot order", source="First this.", author=ada)
    posting.start(category, author=ada, title="It has a tag", source="So.", tag_names=["uefi"])
    blog, draft = (blogging.begin(ada, Writing(title=title, source="So.")) for title in ("Out", "Not yet"))
    blogging.publish(blog)
    numbers = {
        "blog": blog.pk,
        "draft": draft.pk,
        "thread": thread.pk,
        "secret": secret.pk,
        "secret_post": Post.objects.get(thread=secret).pk,
        "closed": closed.pk,
        "hidden": hidden.pk,
        "post": Post.objects.get(thread=thread, number=1).pk,
        "idea": idea.pk,
        "comment": comments.write(kinds.IDEA, idea.pk, author=ada, source="Indeed.").pk,
    }
    if value is not None:
        about = str(value.get("about", ""))
        value = value | {"about": numbers[about.strip("{}")]} if about else value
    answers = []
    for program in programs(author=ada, other=bob, moderator=moderator).values():
        answers.append(program.call(method, path.format(**numbers), value)[0])
    assert answers == expected


def test_session_counts_for_nothing_so_that_another_sites_form_cannot_write(category: Category, ada: Member) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = browser.post(
            f"{API}/threads", json.dumps(THREAD), content_type=content_type, headers={"Origin": "https://evil.example"}
        )
        assert answer.status_code == 401
    assert browser.get(f"{API}/me").status_code == 401
    assert not Thread.objects.exists()


@pytest.mark.parametrize(
    "said",
    ["", "Bearer", "Bearer ", "Bearer jeos_nothing", "Basic YWRhOng=", "bearer\u00a0x", "Token abc", "Bearer a b"],
)
def test_token_that_is_none_opens_nothing_and_is_not_taken_for_a_visitor(ada: Member, said: str) -> None:
    answer = Client().get(f"{API}/threads", headers={"Authorization": said})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="exchange"')
    assert answer["Content-Type"] == "application/problem+json"


def test_token_ends_with_its_day_its_removal_and_its_members_leaving(ada: Member) -> None:
    program = Program(ada)
    assert program.call("GET", "/me")[0] == 200
    assert Token.objects.get().used_on == timezone.now().date()
    Token.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert program.call("GET", "/me")[0] == 401
    Token.objects.update(expires=None)
    Member.objects.update(is_active=False)
    assert program.call("GET", "/me")[0] == 401
    Member.objects.update(is_active=True)
    assert program.call("GET", "/me")[0] == 200
    Token.objects.all().delete()
    assert program.call("GET", "/me")[0] == 401


def test_silenced_member_writes_nothing(category: Category, thread: Thread, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    program = Program(ada)
    idea = {"title": "Boot from tape", "source": "So."}
    post = Post.objects.get(thread=thread)
    assert [
        program.call(*call)[0]
        for call in (
            ("POST", f"/threads/{thread.pk}/posts", {"source": "Me too."}),
            ("POST", "/ideas", idea),
            ("POST", "/wiki/pages", {"title": "Tape", "source": "So."}),
            ("POST", "/blog/posts", {"title": "Tape", "source": "So."}),
            ("PATCH", f"/posts/{post.pk}", {"source": "Me too."}),
        )
    ] == [403] * 5
    assert program.call("POST", "/threads", THREAD)[0] == 422  # the form knows no category that takes it


def test_thread_is_started_read_answered_and_changed(category: Category, ada: Member, bob: Member) -> None:
    status, made = Program(ada).call("POST", "/threads", THREAD)
    assert status == 201
    number = made["number"]
    assert made == {
        "number": number,
        "category": "building",
        "title": "No network after it",
        "tags": ["uefi"],
        "author": {"handle": "ada", "name": "ada", "url": "http://testserver/m/ada/"},
        "made": made["made"],
        "last_at": made["made"],
        "posts": 1,
        "solved_by": None,
        "pinned": False,
        "closed": False,
        "hidden": False,
        "url": f"http://testserver/forum/t/{number}/no-network-after-it/",
    }
    status, reply = Program(bob).call(
        "POST", f"/threads/{number}/posts", {"source": "Is it *plugged* in?", "reply_to": 1}
    )
    assert (status, reply["place"], reply["reply_to"]) == (201, 2, 1)
    assert reply["html"] == "<p>Is it <em>plugged</em> in?</p>\n"
    status, listed = Program().call("GET", f"/threads/{number}/posts")
    assert [(one["place"], one["author"]["handle"]) for one in listed["items"]] == [(1, "ada"), (2, "bob")]
    first = listed["items"][0]["number"]
    change = {"source": "It works now.", "title": "Network after all", "tags": ["net"], "reason": "solved"}
    status, changed = Program(ada).call("PATCH", f"/posts/{first}", change)
    assert (status, changed["version"], changed["source"]) == (200, 2, "It works now.")
    _status, thread = Program().call("GET", f"/threads/{number}")
    assert (thread["title"], thread["tags"], thread["posts"]) == ("Network after all", ["net"], 2)


def test_limits_of_the_pages_hold_for_programs(category: Category, ada: Member) -> None:
    program = Program(ada)
    statuses = [program.call("POST", "/threads", THREAD)[0] for _ in range(6)]
    assert statuses == [201] * 5 + [429]
    answer = program.browser.post(f"{API}/threads", THREAD, "application/json", headers=program.headers)
    assert 0 < int(answer["Retry-After"]) <= 3_600


def test_calls_are_limited_by_member(ada: Member, bob: Member, settings: object) -> None:
    program = Program(ada)
    statuses = [program.call("GET", "/categories")[0] for _ in range(250)]
    assert statuses[:120] == [200] * 120
    assert 429 in statuses  # the span may have ended once meanwhile
    assert Program(bob).call("GET", "/categories")[0] == 200


def test_list_goes_on_by_link_and_by_next(category: Category, ada: Member) -> None:
    for number in range(35):
        posting.start(category, author=ada, title=f"Thread number {number}", source="So.")
    answer = Client().get(f"{API}/threads?category=building")
    first = answer.json()
    assert answer["Link"] == f'<{first["next"]}>; rel="next"'
    second = Client().get(first["next"].removeprefix("http://testserver")).json()
    titles = [one["title"] for one in (*first["items"], *second["items"])]
    assert titles == [f"Thread number {number}" for number in range(34, -1, -1)]
    assert second["next"] is None
    assert Client().get(f"{API}/threads?after=nonsense").status_code == 422


def test_answer_that_is_known_is_not_sent_again(thread: Thread) -> None:
    address = f"{API}/threads/{thread.pk}"
    first = Client().get(address)
    again = Client().get(address, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Thread.objects.update(title="Another title now")
    assert Client().get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_answers_to_members_are_private(thread: Thread, ada: Member) -> None:
    program = Program(ada)
    answer = program.browser.get(f"{API}/threads", headers=program.headers)
    assert answer["Cache-Control"] == "private"
    assert "Authorization" in answer["Vary"]


def test_wiki_change_is_merged_or_shown_where_it_meets_another(ada: Member, bob: Member) -> None:
    page = writing.create(title="Boot order", source="one\n\ntwo\n\nthree", author=ada)
    status, saved = Program(ada).call("PUT", "/wiki/pages/boot-order", {"base": 1, "source": "ONE\n\ntwo\n\nthree\n"})
    assert (status, saved["version"], saved["merged"]) == (200, 2, False)
    status, saved = Program(bob).call("PUT", "/wiki/pages/boot-order", {"base": 1, "source": "one\n\ntwo\n\nTHREE\n"})
    assert (status, saved["merged"], saved["source"]) == (200, True, "ONE\n\ntwo\n\nTHREE")
    status, met = Program(bob).call("PUT", "/wiki/pages/boot-order", {"base": 1, "source": "uno\n\ntwo\n\nthree\n"})
    assert (status, met["status"], met["base"]) == (409, 409, 3)
    assert "ONE" in met["marked"] and "uno" in met["marked"]
    assert Page.objects.get(pk=page.pk).version == 3
    status, _ = Program(bob).call("PUT", "/wiki/pages/boot-order", {"base": 3, "source": met["marked"]})
    assert status == 422
    _status, versions = Program().call("GET", "/wiki/pages/boot-order/revisions")
    assert [one["version"] for one in versions["items"]] == [3, 2, 1]
    assert Program().call("GET", "/wiki/pages/boot-order/revisions/2")[1]["source"].startswith("ONE")


def test_votes_are_as_many_as_a_member_has(ada: Member, bob: Member, settings: Any) -> None:
    settings.IDEA_VOTES = 1
    first, second = (suggesting.post(author=ada, title=f"Idea number {n}", source="So.").pk for n in (1, 2))
    program = Program(bob)
    assert [program.call("PUT", f"/ideas/{number}/vote")[0] for number in (first, first, second)] == [200, 200, 409]
    _status, shown = program.call("GET", f"/ideas/{first}")
    assert (shown["votes"], shown["voted"]) == (1, True)
    assert program.call("DELETE", f"/ideas/{first}/vote")[0] == 200
    assert program.call("PUT", f"/ideas/{second}/vote")[0] == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"title": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, 400),
        (b"\xff\xfe", 400),
        (json.dumps(THREAD | {"title": "a\0b c"}).encode(), 400),
        (b'{"category":"building","title":"Half \\ud800 of it","source":"x"}', 400),
        (b'{"category":"building","title":"Half of it","source":"\\ud800"}', 400),
        (json.dumps(THREAD | {"title": 7}).encode(), 422),
        (json.dumps(THREAD | {"tags": "uefi"}).encode(), 422),
        (json.dumps(THREAD | {"source": "x" * 40_001}).encode(), 422),
        (json.dumps(THREAD | {"source": "x" * 1_100_000}).encode(), 413),
    ],
)
def test_body_that_is_wrong_is_answered_with_a_problem(
    category: Category, ada: Member, body: bytes, status: int
) -> None:
    program = Program(ada)
    answer = program.browser.generic(
        "POST", f"{API}/threads", body, content_type="application/json", headers=program.headers
    )
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}
    assert not Thread.objects.exists()


def test_what_nobody_knows_is_a_problem_too(db: None) -> None:
    client = Client()
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/", 404), ("DELETE", "/threads", 405)):
        answer = client.generic(method, API + path)
        assert (answer.status_code, answer["Content-Type"], answer.json()["status"]) == (
            status,
            "application/problem+json",
            status,
        )
    assert set(client.delete(f"{API}/threads")["Allow"].split(", ")) == {"GET", "POST"}


def test_flag_comment_notification_and_search(ada: Member, bob: Member, category: Category) -> None:
    idea = suggesting.post(author=ada, title="Boot from a share", source="It would help.", tag_names=["net"])
    _status, made = Program(bob).call(
        "POST", "/comments", {"kind": "idea", "about": idea.pk, "source": "Yes, it would."}
    )
    assert Comment.objects.get().pk == made["number"]
    assert Program().call("GET", f"/comments?kind=idea&about={idea.pk}")[1]["items"] == [made]
    flag = {"kind": "comment", "about": made["number"], "reason": "other"}
    status, problem = Program(ada).call("POST", "/flags", flag)
    assert (status, problem["errors"][0]["message"]) == (422, "Please say in a few words what is wrong.")
    assert Program(ada).call("POST", "/flags", flag | {"note": "untrue"})[0] == 204
    assert Case.objects.get().kind == kinds.COMMENT
    Notification.objects.create(member=ada, reason=4, kind=kinds.IDEA, number=idea.pk, url="/x", title="t", actor=bob)
    _status, told = Program(ada).call("GET", "/notifications")
    assert [(one["reason"], one["kind"], one["actor"]) for one in told["items"]] == [("reaction", "idea", "bob")]
    assert Program(ada).call("POST", "/notifications/seen")[0] == 204
    assert Notification.objects.get().seen
    _status, found = Program().call("GET", "/search?q=boot+tag:net")
    assert [(one["kind"], one["number"]) for one in found["items"]] == [("idea", idea.pk)]
    _status, tagged = Program().call("GET", "/tags/net/content?kind=idea")
    assert [one["number"] for one in tagged["items"]] == [idea.pk]
    assert Program().call("GET", "/tags/net")[1]["uses"] == 1


def test_blog_post_is_a_draft_until_it_is_published(ada: Member, bob: Member) -> None:
    program = Program(ada)
    _status, draft = program.call("POST", "/blog/posts", {"title": "Hello", "source": "World.", "series": "Firsts"})
    number = draft["number"]
    assert (draft["state"], draft["published"], draft["series"]) == ("draft", None, "Firsts")
    assert [Program(who).call("GET", f"/blog/posts/{number}")[0] for who in (None, bob, ada)] == [404, 404, 200]
    assert Program(bob).call("POST", f"/blog/posts/{number}/publish")[0] == 404
    assert program.call("POST", f"/blog/posts/{number}/publish")[1]["state"] == "published"
    assert [one["number"] for one in Program().call("GET", "/blog/posts?author=ada")[1]["items"]] == [number]
    change = {"title": "Hello again", "source": "World!", "tags": ["first"]}
    status, changed = program.call("PUT", f"/blog/posts/{number}", change)
    assert (status, changed["version"], changed["tags"], changed["series"]) == (200, 2, ["first"], None)
    assert Program(bob).call("PUT", f"/blog/posts/{number}", change)[0] == 403


def test_what_is_kept_is_listed_until_it_is_kept_no_longer(ada: Member, bob: Member) -> None:
    idea, program = suggesting.post(author=ada, title="Boot from a share", source="It would help."), Program(bob)
    for method, expected in (("PUT", [idea.pk]), ("PUT", [idea.pk]), ("DELETE", []), ("DELETE", [])):
        assert program.call(method, f"/bookmarks/idea/{idea.pk}")[0] == 204
        assert [one["number"] for one in program.call("GET", "/bookmarks")[1]["items"]] == expected
    assert program.call("GET", f"/following/idea/{idea.pk}")[1] == {"level": "neither"}
    assert program.call("PUT", f"/following/idea/{idea.pk}", {"level": "muted"})[1] == {"level": "muted"}
    assert program.call("GET", f"/following/idea/{idea.pk}")[1] == {"level": "muted"}


def test_member_is_shown_as_on_the_page_without_mail(ada: Member) -> None:
    _status, shown = Program().call("GET", "/members/ada")
    assert set(shown) == {
        *("handle", "name", "about", "role", "trust", "joined", "threads", "posts", "thanks", "url"),
    }
    assert (shown["role"], shown["trust"]) == (Role.MEMBER.name.lower(), Trust.BASIC.name.lower())
    assert "mail" not in json.dumps(Program(ada).call("GET", "/me")[1])
    Member.objects.update(is_active=False)
    assert Program().call("GET", "/members/ada")[0] == 404


def test_hidden_idea_is_for_its_author_and_merged_one_leads_on(ada: Member, bob: Member, moderator: Member) -> None:
    idea = suggesting.post(author=ada, title="Boot from a share", source="It would help.")
    Idea.objects.update(hidden=True)
    assert [Program(who).call("GET", f"/ideas/{idea.pk}")[0] for who in (None, bob, ada, moderator)] == [
        404,
        404,
        200,
        200,
    ]


def test_page_about_the_api_has_every_operation_and_no_script(client: Client) -> None:
    answer = client.get("/api/")
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "<script" not in html and "style=" not in html and "://cdn" not in html
    for operation in ("start_thread", "vote", "change_page", "list_comments"):
        assert f'id="{operation}"' in html
    assert "/api/v1/openapi.json" in html


def test_every_reference_on_the_page_leads_somewhere(client: Client) -> None:
    html = client.get("/api/").content.decode()
    wanted = {part.split('"')[0] for part in html.split('href="#')[1:]}
    assert wanted - {part.split('"')[0] for part in html.split('id="')[1:]} == set()


def test_settings_name_the_middleware_before_sessions() -> None:
    names: Mapping[str, int] = {name: place for place, name in enumerate(settings.MIDDLEWARE)}
    assert (
        names["jeos.server.api.middleware.ApiAnswers"] < names["django.contrib.sessions.middleware.SessionMiddleware"]
    )

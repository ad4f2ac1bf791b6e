"""One object of each kind, all by one author, for tests that ask every view. Import it after Django has been set up.

world = build(author)
address_of("forum:thread", world)
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from allauth.socialaccount.models import SocialAccount
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

import upload_files
from catalogue_site import make_appliance
from jeos.server.accounts import invitations
from jeos.server.accounts.models import Member, Token
from jeos.server.blog import posting as blogging
from jeos.server.blog.models import post_url
from jeos.server.catalogue import reviewing
from jeos.server.catalogue.models import Verdict as Runs
from jeos.server.content import attachments, audit, comments, kinds, moderation
from jeos.server.content.mailing import addresses
from jeos.server.content.models import Attachment, AuditEntry, FlagReason, Outcome
from jeos.server.events import attending, preparing, scheduling, submitting, topics
from jeos.server.events.models import Duty, Rating, Room, Session, Speaker
from jeos.server.events.models import Role as Part
from jeos.server.events.models import State as Standing
from jeos.server.forum import polls, posting
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.ideas import suggesting
from jeos.server.importing.models import Import, Kind, Old
from jeos.server.jobs.models import Mail
from jeos.server.practices import proving, rating, writing
from jeos.server.practices.models import PARTS, Practice, Verdict
from jeos.server.practices.models import Rating as Given
from jeos.server.push.models import Subscription
from jeos.server.webhooks.models import Delivery, Hook, State
from jeos.server.wiki import writing as wiki
from server_events import Crowd, accept, make_event, put, submit
from server_site import make_member

OLD = 7  # a number of everything that came from another forum
UPLOAD = "a" * 40  # what a file was called there
# The addresses of views; those that are missing here have no places to be filled.
ADDRESSES = {
    "forum:category-feed": "/forum/c/{room}/feed.atom",
    "forum:thread-feed": "/forum/t/{thread}/feed.atom",
    "forum:edit-category": "/forum/categories/{category}/",
    "forum:move-category": "/forum/categories/{category}/move/",
    "forum:remove-category": "/forum/categories/{category}/remove/",
    "forum:category": "/forum/c/{room}/",
    "forum:thread-number": "/forum/t/{thread}/",
    "forum:first-unread": "/forum/t/{thread}/unread/",
    "forum:mark": "/forum/t/{thread}/mark/",
    "forum:reply": "/forum/t/{thread}/reply/",
    "forum:vote": "/forum/t/{thread}/vote/",
    "forum:manage": "/forum/t/{thread}/manage/",
    "forum:thread": "/forum/t/{thread}/boot-order/",
    "forum:thread-page": "/forum/t/{thread}/boot-order/1/",
    "forum:post": "/forum/p/{post}/",
    "forum:react": "/forum/p/{post}/react/",
    "forum:solve": "/forum/p/{answer}/solve/",
    "forum:edit": "/forum/p/{post}/edit/",
    "forum:history": "/forum/p/{post}/history/",
    "catalogue:review": "/catalogue/reviews/{review}/",
    "catalogue:review-history": "/catalogue/reviews/{review}/history/",
    **{
        f"catalogue:{name}": f"/catalogue/@acme/{path}"
        for name, path in {
            "publisher": "",
            "manage": "-/manage/",
            "seat": "-/seat/",
            "give-up": "-/give-up/",
            "vouch": "-/verify/",
            "channel-new": "-/channel/",
            "domain": "-/domain/",
            "hide": "-/hide/",
            "appliance": "web/",
            "appliance-feed": "web/feed.atom",
            "star": "web/star/",
            "take-down": "web/take-down/",
            "channel": "web/channel/",
            "review-write": "web/review/",
            "versions": "web/versions/",
            "version": "web/versions/1.0/",
            "withdraw": "web/versions/1.0/withdraw/",
            "bill": "web/versions/1.0/sbom/",
        }.items()
    },
    **{
        f"wiki:{name}": f"/wiki/boot-order/{path}"
        for name, path in {
            "page": "",
            "edit": "edit/",
            "seen": "seen/",
            "links": "links/",
            "history": "history/",
            "history-feed": "history/feed.atom",
            "compare": "compare/?from=1&to=1",
            "version": "version/1/",
            "revert": "version/1/revert/",
            "hide-version": "version/1/hide/",
            "manage": "manage/",
        }.items()
    },
    **{
        f"blog:{name}": f"/blog/p/{{blogpost}}/{path}"
        for name, path in {
            "permanent": "",
            "comments-feed": "feed.atom",
            "edit": "edit/",
            "withdraw": "withdraw/",
            "react": "react/",
            "hide": "hide/",
            "history": "history/",
        }.items()
    },
    "blog:delete": "/blog/p/{blogdraft}/delete/",
    "blog:blog": "/blog/@{author}/",
    "blog:blog-feed": "/blog/@{author}/feed.atom",
    "blog:series": "/blog/@{author}/series/diet/",
    "blog:series-feed": "/blog/@{author}/series/diet/feed.atom",
    "blog:post": "{blogpost_url}",
    **{
        f"practices:{name}": f"/practices/{{practice_{state}}}/{path}"
        for name, state, path in (
            ("practice-number", "proven", ""),
            ("edit", "proven", "edit/"),
            ("submit", "draft", "submit/"),
            ("history", "proven", "history/"),
            ("review", "waiting", "review/"),
            ("rate", "proven", "rate/"),
            ("renew", "proven", "renew/"),
        )
    },
    "practices:practice": "{practice_url}",
    "practices:hide-rating": "/practices/ratings/{given}/hide/",
    "ideas:status": "/ideas/status/open/",
    "ideas:status-feed": "/ideas/status/open/feed.atom",
    **{
        f"ideas:{name}": f"/ideas/{{idea}}/{path}"
        for name, path in {
            "idea-number": "",
            "vote": "vote/",
            "edit": "edit/",
            "history": "history/",
            "answer": "answer/",
            "merge": "merge/",
        }.items()
    },
    "ideas:idea": "{idea_url}",
    **{
        f"events:{name}": f"/events/days/{path}"
        for name, path in {
            "event": "",
            "event-feed": "feed.atom",
            "worker": "worker.js",
            "offline": "offline/",
            "schedule": "schedule/",
            "schedule-calendar": "schedule.ics",
            "versions": "versions/",
            "speakers": "speakers/",
            "speaker": "speakers/peer/",
            "agenda": "agenda/",
            "renew-agenda": "agenda/renew/",
            "sessions": "sessions/",
            "session-number": "sessions/{session}/",
            "session-calendar": "sessions/{session}.ics",
            "star": "sessions/{session}/star/",
            "history": "sessions/{session}/history/",
            "topics": "topics/",
            "vote": "topics/{topic}/vote/",
            "call": "call/",
            "submit": "call/submit/",
            "review": "review/",
            "decide-many": "review/decide/",
            "review-session": "review/{new_session}/",
            "decide": "review/{new_session}/decide/",
            "manage": "manage/",
            "edit": "manage/event/",
            "parts": "manage/parts/",
            "save-part": "manage/parts/room/{hall}/",
            "people": "manage/people/",
            "dismiss": "manage/people/{duty}/dismiss/",
            "add-session": "manage/sessions/add/",
            "placing": "manage/schedule/",
            "place": "manage/schedule/{session}/",
            "release": "manage/release/",
            "edit-session": "sessions/{own_session}/edit/",
            "withdraw": "sessions/{own_session}/withdraw/",
        }.items()
    },
    "events:agenda-calendar": "{agenda}",
    "events:session": "{session_url}",
    "events:rate": "/events/past/sessions/{talk}/rate/",
    "events:confirm": "/events/past/sessions/{offered}/confirm/",
    "events:invitation": "/events/past/sessions/{asked}/invitation/",
    "events:hide-rating": "/events/past/ratings/{talk_rating}/hide/",
    "accounts:member": "/m/{author}/",
    "accounts:invited": "/invited/{code}/",
    "accounts:remove-token": "/settings/tokens/{token}/remove/",
    "accounts:connect": "/settings/organisations/example/connect/",
    "accounts:disconnect": "/settings/organisations/{account}/disconnect/",
    **{
        f"administration:{name}": f"/administration/members/{{person}}/{path}"
        for name, path in {
            "member": "",
            "standing": "standing/",
            "silence": "silence/",
            "suspend": "suspend/",
            "remove": "remove/",
        }.items()
    },
    "administration:undo-block": "/administration/blocked/{block}/undo/",
    "administration:task": "/administration/jobs/tasks/{task}/",
    "administration:mail": "/administration/jobs/mail/{mail}/",
    "administration:end-invitation": "/administration/site/invitations/{invitation}/end/",
    "content:tag": "/tags/boot/",
    "content:tag-feed": "/tags/boot/feed.atom",
    "content:member-feed": "/m/{author}/feed.atom",
    "content:tag-edit": "/tags/boot/edit/",
    "content:bookmark": "/bookmark/1/{thread}/",
    "content:follow": "/follow/thread/{thread}/",
    "content:flag": "/flag/1/{thread}/",
    "content:comment-write": "/comment/6/{idea}/",
    "content:comment": "/comments/{comment}/",
    "content:comment-edit": "/comments/{comment}/edit/",
    "content:comment-history": "/comments/{comment}/history/",
    "content:file": "/files/{file}/",
    "content:file-small": "/files/{file}/small/",
    "content:file-remove": "/files/{file}/remove/",
    "content:file-itself": "{file_url}",
    "content:face": "/faces/{face}.webp",
    "content:mail-stop": "/mail/stop/{stop}",
    "content:decide": "/moderation/{case}/decide/",
    "content:undo": "/moderation/{closed}/undo/",
    "importing:resume": "/administration/imports/{import_}/",
    "push:test": "/settings/push/{browser}/test/",
    "push:remove": "/settings/push/{browser}/remove/",
    **{
        f"webhooks:{name}": f"/settings/webhooks/{{hook}}/{path}"
        for name, path in {
            "hook": "",
            "edit": "edit/",
            "test": "test/",
            "secret": "secret/",
            "switch": "switch/",
            "remove": "remove/",
            "again": "again/{delivery}/",
        }.items()
    },
    "forum:latest-feed": "/forum/feed.atom",
    "forum:unanswered-feed": "/forum/unanswered/feed.atom",
    "catalogue:feed": "/catalogue/feed.atom",
    "wiki:changes-feed": "/wiki/-/changes/feed.atom",
    "blog:planet-feed": "/blog/feed.atom",
    "practices:feed": "/practices/feed.atom",
    "practices:review-feed": "/practices/review/feed.atom",
    "ideas:feed": "/ideas/feed.atom",
    "ideas:new-feed": "/ideas/new/feed.atom",
    "events:feed": "/events/feed.atom",
    "events:past-feed": "/events/past/feed.atom",
    "ideas:top-feed": "/ideas/top/feed.atom",
    "practices:top-feed": "/practices/top/feed.atom",
    "blog:blogs-feed": "/blog/all/feed.atom",
    "wiki:wanted-feed": "/wiki/-/wanted/feed.atom",
    "wiki:orphans-feed": "/wiki/-/orphans/feed.atom",
    "content:search-feed": "/search/feed.atom?q=boot",
    "importing:discourse_topic": "/t/words/7",
    "importing:discourse_post": "/p/7",
    "importing:discourse_category": "/c/words/7",
    "importing:discourse_member": "/u/somebody",
    "importing:discourse_tag": "/tag/boot",
    "importing:discourse_upload": f"/uploads/default/original/1X/{UPLOAD}.png",
    "importing:phpbb_file": "/download/file.php?id=7",
    "importing:phpbb_topic": "/viewtopic.php?t=7",
    "importing:phpbb_forum": "/viewforum.php?f=7",
    "importing:phpbb_member": "/memberlist.php?mode=viewprofile&u=7",
}


def address_of(name: str, world: Mapping[str, object]) -> str:
    """Return an address of a view. Raises KeyError for one that needs a line in ADDRESSES."""
    known = ADDRESSES.get(name) or views()[name]
    if "<" in known:
        raise KeyError(name)
    return known.format(**world)


def views() -> dict[str, str]:
    """Return the views of the sections by their names, those without a name by their functions, with their patterns."""

    def walk(patterns: list[URLPattern | URLResolver], space: str, before: str) -> Iterator[tuple[str, str]]:
        for one in patterns:
            whole = before + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, one.namespace or space, whole)
            elif space and ("jeos.server" in getattr(one.callback, "__module__", "")):
                yield f"{space}:{one.name or one.callback.__name__}", whole

    return dict(walk(get_resolver().url_patterns, "", "/"))


def build(author: Member) -> dict[str, object]:
    """Make one of everything, and return what addresses need of it."""
    peers = [make_member(handle) for handle in ("peer", "other-peer")]
    world = {"author": author.handle, "person": peers[0].pk}
    for part in (_forum, _pages, _events, _catalogue, _content, _settings, _desk):
        world |= part(author, peers)
    return world


def _forum(author: Member, peers: list[Member]) -> dict[str, object]:
    room = Category.objects.create(slug="building", name="Building", solvable=True)
    thread = posting.start(room, author=author, title="Boot order", source="Which?", tag_names=["boot"])
    answer = posting.reply(thread, room, author=peers[0], source="That one.")
    polls.make(thread, question="Which?", options=["this", "that"], choices=1, closes=None)
    first = answer.pk - 1
    return {"category": room.pk, "room": room.slug, "thread": thread.pk, "post": first, "answer": answer.pk}


def _pages(author: Member, peers: list[Member]) -> dict[str, object]:
    wiki.create(title="Boot order", source="First.", author=author)
    written = blogging.begin(author, blogging.Writing(title="Small", source="Less.", series="Diet"))
    blogging.publish(written)
    draft = blogging.begin(author, blogging.Writing(title="Not yet", source="Less."))
    idea = suggesting.post(author=author, title="Colours", source="Please.")
    practices = {}
    for state in ("draft", "waiting", "proven"):
        wanted = writing.Wanted(title=f"Keep it {state}", parts=dict.fromkeys(PARTS, "zebra"), tags=["disk"])
        practices[f"practice_{state}"] = practice = writing.draft(wanted, author=author)
        if state != "draft":
            writing.submit(practice)
    practice = practices["practice_proven"]
    for peer in peers:
        proving.review(practice, reviewer=peer, verdict=Verdict.APPROVE, source="It holds.")
    practice = Practice.objects.get(pk=practice.pk)
    rating.rate(practice, member=peers[0], stars=4, reason="It saved an evening.")
    return {
        **{name: one.pk for name, one in practices.items()},
        "practice_url": practice.get_absolute_url(),
        "given": Given.objects.get().pk,
        "blogpost": written.pk,
        "blogpost_url": post_url(author.handle, written.pk, written.slug),
        "blogdraft": draft.pk,
        "idea": idea.pk,
        "idea_url": idea.get_absolute_url(),
    }


def _events(author: Member, peers: list[Member]) -> dict[str, object]:
    """Make an event that the author organises, with a session of another; and one that was, where the author spoke."""
    crowd = Crowd({"organiser": author, "speaker": peers[0], "reviewer": peers[1]}, {})
    event = make_event(crowd)
    session = put(accept(submit(event, peers[0]), by=author))
    new = submit(event, peers[0], "Not decided yet")
    past = Crowd({"organiser": peers[0], "speaker": author, "reviewer": peers[1]}, {})
    began = date.today() - timedelta(days=30)
    other = make_event(past, slug="past", begins=began, ends=began)
    talk = put(accept(submit(other, author), by=peers[0]))
    moment = timezone.now() - timedelta(days=30)
    Session.objects.filter(pk=talk.pk).update(begins=moment)
    for one, by in ((event, author), (other, peers[0])):
        scheduling.release(one, by=by)
    talk = Session.objects.select_related("event").get(pk=talk.pk)
    attending.rate(talk, peers[1], stars=4, words="Good.")
    waiting = submit(event, author, "One of the author's")
    offered = submit(other, author, "Accepted")
    submitting.decide(offered, Standing.ACCEPTED, actor=peers[0])
    asked = submit(other, peers[0], "Together")
    Speaker.objects.create(session=asked, member=author)
    topic = topics.suggest(event, author=author, title="Cooling")
    agenda = attending.agenda_address(event, author)
    preparing.appoint(event, peers[0], Part.REVIEWER, actor=author)
    return {
        "session": session.pk,
        "session_url": Session.objects.select_related("event").get(pk=session.pk).get_absolute_url(),
        "new_session": new.pk,
        "own_session": waiting.pk,
        "talk": talk.pk,
        "talk_rating": Rating.objects.get().pk,
        "topic": topic.pk,
        "agenda": agenda,
        "hall": Room.objects.filter(event=event)[0].pk,
        "duty": Duty.objects.filter(event=event, member=peers[1])[0].pk,
        "offered": offered.pk,
        "asked": asked.pk,
    }


def _catalogue(author: Member, peers: list[Member]) -> dict[str, object]:
    appliance = make_appliance(author)
    review = reviewing.review(appliance, author=peers[0], runs="1.0", verdict=Runs.GOOD, source="It runs.")
    return {"review": review.pk}


def _content(author: Member, peers: list[Member]) -> dict[str, object]:
    picture = attachments.keep(author, name="rack.png", data=upload_files.drawing())
    room = Category.objects.get(slug="building")
    thread = posting.start(room, author=author, title="A rack", source=f"![]({picture.url})")
    idea = suggesting.post(author=author, title="Shapes", source="Please.")
    comment = comments.write(kinds.IDEA, idea.pk, author=author, source="Yes.")
    open_case = moderation.flag(kinds.THREAD, thread.pk, member=peers[0], reason=FlagReason.SPAM)
    closed = moderation.flag(kinds.IDEA, idea.pk, member=peers[0], reason=FlagReason.SPAM)
    moderation.decide(closed, Outcome.DISMISSED, moderator=peers[1])
    return {
        "file": picture.key,
        "file_url": picture.url,
        "comment": comment.pk,
        "case": open_case.pk,
        "closed": closed.pk,
        "stop": addresses.stop_address(author.pk, "all").partition("/mail/stop/")[2],
    }


def _settings(author: Member, peers: list[Member]) -> dict[str, object]:
    token, _text = Token.make(author, name="program", writes=True, expires=None)
    hook = Hook.objects.create(owner=author, address="https://hooks.example/", types=["thread.created"])
    delivery = Delivery.objects.create(hook=hook, type="test", payload="{}", state=State.FAILED)
    browser = Subscription.objects.create(
        member=author, endpoint="https://push.example/1", digest="0" * 64, public_key=b"", secret=b""
    )
    account = SocialAccount.objects.create(user=author, provider="example", uid="7")
    face = attachments.place().put(upload_files.drawing())
    Member.objects.filter(pk=author.pk).update(picture=face)
    return {
        "account": account.pk,
        "face": face,
        "token": token.pk,
        "hook": hook.pk,
        "delivery": delivery.pk,
        "browser": browser.pk,
    }


def _desk(author: Member, peers: list[Member]) -> dict[str, object]:
    now = timezone.now()
    invitation = invitations.make(by=author, note="", accounts=9, days=9, now=now)
    mail = Mail.objects.create(recipient="a@mail.example", message=b"x", attempts=9, error="550 no such user")
    task = DBTaskResult.objects.create(
        status="FAILED",
        run_after=now,
        started_at=now,
        finished_at=now,
        args_kwargs={"args": [], "kwargs": {}},
        task_path="jeos.server.content.mailing.tasks.send_digests",
        backend_name="default",
        queue_name="mail",
        exception_class_path="builtins.OSError",
        traceback="OSError",
    )
    run = Import.objects.create(source="discourse", read=now, failed=now, error="why")
    audit.record(author, "block.change", details={"list": "words", "added": ["spam"], "removed": []})
    file, thread = Attachment.objects.get(), Thread.objects.get(title="Boot order")
    became = {
        Kind.PERSON: author.pk,
        Kind.ROOM: thread.category_id,
        Kind.TOPIC: thread.pk,
        Kind.MESSAGE: Post.objects.get(thread=thread, number=1).pk,
        Kind.FILE: file.pk,
    }
    for source in ("discourse", "phpbb"):
        for kind, new in became.items():
            name = UPLOAD if kind == Kind.FILE else "somebody"
            Old.objects.create(source=source, kind=kind, number=OLD, new=new, name=name)
    block = AuditEntry.objects.get(action="block.change")
    return {
        "block": block.pk,
        "invitation": invitation.pk,
        "code": invitation.code,
        "mail": mail.pk,
        "task": task.pk,
        "import_": run.pk,
    }

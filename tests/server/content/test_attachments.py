"""Files that members attach: who may upload and have what, how texts show them, and what goes when."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

import upload_files
from hostile_texts import assert_harmless
from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member, Trust
from jeos.server.blog import posting as blogging
from jeos.server.blog.posting import Writing
from jeos.server.content import attachments, comments, kinds, limits, markdown, texts
from jeos.server.content.file_kinds import BadFile
from jeos.server.content.models import Attachment, AuditEntry, Comment, Reference
from jeos.server.content.models.texts import Text, _code_of
from jeos.server.content.tasks import sweep
from jeos.server.forum import moderating, posting
from jeos.server.forum.models import Category, Post
from jeos.server.ideas import suggesting
from jeos.server.practices import writing as practising
from jeos.server.practices.models import PARTS
from jeos.server.wiki import writing as wiki
from server_site import count_queries, signed_in, statuses

pytestmark = pytest.mark.django_db
PICTURE = upload_files.drawing()
LOG = b"[    0.000000] Linux version 6.12\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.FILES = tmp_path / "files"
    return tmp_path / "files"


@pytest.fixture
def rack(ada: Member) -> Attachment:
    return attachments.keep(ada, name="rack.png", data=PICTURE)


@pytest.fixture
def log(ada: Member) -> Attachment:
    return attachments.keep(ada, name="boot.log", data=LOG)


def body(client: Client, address: str, **headers: str) -> tuple[int, bytes]:
    answer = client.get(address, headers=headers)
    return answer.status_code, b"".join(answer) if answer.streaming else answer.content


def upload(name: str = "rack.png", data: bytes = PICTURE) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="text/html")  # what a browser says of a file counts for nothing


def test_file_is_its_owners_alone_until_a_text_refers_to_it(
    people: dict[str, Client], rack: Attachment, category: Category, ada: Member
) -> None:
    for address in (rack.url, f"/files/{rack.key}/small/"):
        assert statuses(people, address) == [404, 404, 200, 404, 404]
    assert statuses(people, f"/files/{rack.key}/") == [401, 404, 200, 404, 404]
    posting.start(category, author=ada, title="A rack of ours", source=f"See {rack.markdown}")
    for address in (rack.url, f"/files/{rack.key}/small/"):
        assert statuses(people, address) == [200] * 5
    assert statuses(people, f"/files/{rack.key}/") == [401, 200, 200, 200, 200]
    assert statuses(people, "/files/") == [401, 200, 200, 200, 200]
    assert statuses(people, f"/files/{rack.key}/other.webp") == [404] * 5
    assert statuses(people, f"/files/{'a' * 24}/rack.webp") == [404] * 5


def test_file_in_a_closed_room_is_for_who_may_read_it(
    people: dict[str, Client], rack: Attachment, team_room: Category, moderator: Member
) -> None:
    posting.start(team_room, author=moderator, title="Plans of ours", source=rack.markdown)
    assert statuses(people, rack.url) == [404, 404, 200, 200, 200]


def test_file_follows_its_text_into_hiding_and_back(
    people: dict[str, Client], rack: Attachment, log: Attachment, category: Category, ada: Member
) -> None:
    thread = posting.start(category, author=ada, title="A rack of ours", source="first")
    reply = posting.reply(thread, category, author=ada, source=rack.markdown)
    other = posting.reply(thread, category, author=ada, source=log.markdown)
    moderating.set_post_hidden(reply.pk, True)
    assert statuses(people, rack.url) == [404, 404, 200, 200, 200]
    moderating.set_post_hidden(reply.pk, False)
    assert statuses(people, rack.url) == [200] * 5
    moderating.set_thread_hidden(thread.pk, True)
    assert statuses(people, log.url) == [404, 404, 200, 200, 200]
    assert Post.objects.get(pk=other.pk).hidden is False


def test_draft_of_a_blog_keeps_its_files_to_its_author(
    people: dict[str, Client], rack: Attachment, ada: Member
) -> None:
    post = blogging.begin(ada, Writing("A post of mine", rack.markdown))
    assert statuses(people, rack.url) == [404, 404, 200, 404, 404]
    blogging.publish(post)
    assert statuses(people, rack.url) == [200] * 5
    blogging.withdraw(post)
    assert statuses(people, rack.url) == [404, 404, 200, 404, 404]


def test_every_kind_of_text_may_refer_to_files(people: dict[str, Client], ada: Member) -> None:
    for number in range(5):
        file = attachments.keep(ada, name=f"{number}.log", data=b"%d\n" % number)
        if number == 0:
            suggesting.post(author=ada, title="Smaller images", source=file.markdown)
        elif number == 1:
            wiki.create(title="Boot order", source=file.markdown, author=ada)
        elif number == 2:
            idea = suggesting.post(author=ada, title="Larger images", source="text")
            comments.write(kinds.IDEA, idea.pk, author=ada, source=file.markdown)
        elif number == 3:
            wanted = practising.Wanted(title="Sign all", parts=dict.fromkeys(PARTS, file.markdown))
            practising.submit(practising.draft(wanted, author=ada))
        else:
            post = blogging.begin(ada, Writing("A post of mine", "nothing"))
            blogging.change(post, Writing("A post of mine", file.markdown), editor=ada)
            blogging.publish(post)
        assert body(people["visitor"], file.url) == (200, b"%d\n" % number)


def test_every_text_has_the_kind_of_its_section() -> None:
    found = {model._meta.label: model.KIND or _code_of(model) for model in apps.get_models() if issubclass(model, Text)}
    assert found == {
        "content.Comment": kinds.COMMENT,
        "forum.Post": kinds.POST,
        "wiki.Page": kinds.WIKI_PAGE,
        "blog.Post": kinds.BLOG_POST,
        "ideas.Idea": kinds.IDEA,
        "events.Event": kinds.EVENT,
        "events.Session": kinds.SESSION,
        "catalogue.Appliance": kinds.APPLIANCE,
        "catalogue.Review": kinds.REVIEW,
    }


def test_version_before_keeps_its_files(people: dict[str, Client], rack: Attachment, ada: Member) -> None:
    page = wiki.create(title="Boot order", source=rack.markdown, author=ada)
    wiki.edit(page.pk, editor=ada, base=1, source="nothing any more")
    assert statuses(people, rack.url) == [200] * 5
    Attachment.objects.update(made=timezone.now() - timedelta(days=30))
    assert sweep.call() == 0


def test_picture_is_shown_and_another_file_is_saved(
    people: dict[str, Client], rack: Attachment, log: Attachment, category: Category, ada: Member
) -> None:
    posting.start(category, author=ada, title="A rack of ours", source=f"{rack.markdown} {log.markdown}")
    shown = people["visitor"].get(rack.url)
    saved = people["visitor"].get(log.url)
    assert (shown["Content-Type"], shown["Content-Disposition"]) == ("image/webp", 'inline; filename="rack.webp"')
    assert saved["Content-Type"] == "text/plain; charset=utf-8"
    assert saved["Content-Disposition"] == 'attachment; filename="boot.log"'
    for answer in (shown, saved):
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer["Cache-Control"] == "private, max-age=300"
        assert answer["ETag"] in (f'"{rack.digest}"', f'"{log.digest}"')


def test_file_is_sent_in_parts_and_not_twice(people: dict[str, Client], log: Attachment) -> None:
    author = people["author"]
    assert body(author, log.url, range="bytes=5-7") == (206, LOG[5:8])
    assert author.get(log.url, headers={"range": "bytes=5-7"})["Content-Range"] == f"bytes 5-7/{len(LOG)}"
    assert body(author, log.url, range="bytes=999-") == (416, b"")
    assert body(author, log.url, range="bytes=5-7", if_range='"other"') == (200, LOG)
    assert body(author, log.url, if_none_match=f'W/"x", "{log.digest}"') == (304, b"")
    assert body(people["visitor"], log.url, if_none_match=f'"{log.digest}"')[0] == 404
    assert author.head(log.url)["Content-Length"] == str(len(LOG))
    assert author.post(log.url).status_code == 405


def test_text_shows_pictures_with_their_size_and_links_to_files(rack: Attachment, log: Attachment) -> None:
    rendered, _mentioned = texts.render(f"![my *rack*](attachment:{rack.key}) and [the log]({log.url})")
    assert rendered.html == (
        f'<p><a href="{rack.url}" class="picture" rel="nofollow ugc noopener"><img src="{rack.url}" alt="my rack" '
        f'width="60" height="40" loading="lazy"></a> and '
        f'<a href="{log.url}" class="file" rel="nofollow ugc noopener">the log</a></p>\n'
    )
    assert rendered.links == 0
    assert f'src="http://testserver{rack.url}"' in markdown.with_base(rendered.html, "http://testserver")


@pytest.mark.parametrize(
    "source",
    [
        "![x](attachment:aaaaaaaaaaaaaaaaaaaaaaaa)",
        "![x](/files/aaaaaaaaaaaaaaaaaaaaaaaa/x.webp)",
        "![x](//evil.example/files/aaaaaaaaaaaaaaaaaaaaaaaa/x.webp)",
        "![x](https://evil.example/files/aaaaaaaaaaaaaaaaaaaaaaaa/x.webp)",
        "![x](/accounts/logout/)",
        "![x](data:image/png;base64,AAAA)",
        "[![x](https://evil.example/x.png)](https://other.example)",
    ],
)
def test_picture_that_is_none_of_ours_is_not_loaded(source: str) -> None:
    made = texts.render(source)[0].html
    assert "<img" not in made
    assert "attachment:" not in made
    assert_harmless(made)


def test_name_of_a_file_brings_nothing_into_a_page(ada: Member, people: dict[str, Client]) -> None:
    name = '"><img src=x onerror=alert(1)>](javascript:alert(1))[x.log'
    file = attachments.keep(ada, name=name, data=LOG)
    assert_harmless(texts.render(file.markdown)[0].html)
    answer = people["author"].post("/files/", {"files-source": upload(name, LOG)})
    assert "<img" not in answer.content.decode()
    assert "\n" not in people["author"].get(file.url)["Content-Disposition"]
    assert "<img src=x" not in people["author"].get("/files/").content.decode()


def test_form_keeps_its_files_without_a_script(people: dict[str, Client], category: Category, ada: Member) -> None:
    thread = posting.start(category, author=ada, title="A rack of ours", source="first")
    form = {"source": "See:", "reply_to": "", "files-source": [upload(), upload("boot.log", LOG)]}
    preview = people["member"].post(f"/forum/t/{thread.pk}/reply/", form | {"preview": "1"}).content.decode()
    rack, log = Attachment.objects.order_by("pk")
    assert f"See:\n\n{rack.markdown}\n\n{log.markdown}</textarea>" in preview
    assert f'<img src="{rack.url}"' in preview
    assert Post.objects.count() == 1
    answer = people["member"].post(f"/forum/t/{thread.pk}/reply/", {"source": "", "files-source": upload()})
    assert answer.status_code == 302
    made = Post.objects.get(number=2)
    assert made.source == Attachment.objects.latest("pk").markdown
    assert Reference.objects.filter(kind=kinds.POST, number=made.pk).count() == 1


def test_form_with_a_file_that_is_not_taken_is_not_posted(
    people: dict[str, Client], category: Category, ada: Member
) -> None:
    thread = posting.start(category, author=ada, title="A rack of ours", source="first")
    form = {"source": "See:", "files-source": upload("a.svg", b"<svg onload=alert(1)>")}
    shown = people["member"].post(f"/forum/t/{thread.pk}/reply/", form).content.decode()
    assert "a.svg is of a kind that is not taken here" in shown
    assert "See:</textarea>" in shown
    assert (Post.objects.count(), Attachment.objects.count()) == (1, 0)


def test_visitors_and_the_silenced_keep_no_files(people: dict[str, Client], bob: Member) -> None:
    assert people["visitor"].post("/files/", {"files-source": upload()}).status_code == 302
    assert people["visitor"].post("/preview/", {"source": "x", "files-source": upload()}).status_code == 302
    Member.objects.filter(pk=bob.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    assert people["member"].post("/files/", {"files-source": upload()}).status_code == 403
    assert people["member"].post("/preview/", {"source": "x", "files-source": upload()}).status_code == 403
    assert Attachment.objects.count() == 0


def test_form_that_is_too_large_is_refused_before_it_is_read(people: dict[str, Client], settings: Settings) -> None:
    settings.FILE_BYTES = 1_000
    for who in ("visitor", "member"):
        answer = people[who].post("/files/", {"files-source": upload("a.log", b"x" * (1 << 21))})
        assert answer.status_code == 413
        assert "That is too large" in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.png", b"", "empty"),
        ("a.log", b"x" * 5_000, "large"),
        ("a.png", upload_files.bomb(), "pixels"),
        ("a.jpg", b"<script>alert(1)</script>", "picture"),
        ("a.html", LOG, "kind"),
        ("a.pdf", LOG, "content"),
    ],
)
def test_file_that_is_not_taken(ada: Member, settings: Settings, name: str, data: bytes, why: str) -> None:
    settings.FILE_BYTES = 4_000
    with pytest.raises(BadFile) as bad:
        attachments.keep(ada, name=name, data=data)
    assert (bad.value.why, Attachment.objects.count()) == (why, 0)


def test_picture_with_a_wrong_ending_is_what_it_is(ada: Member) -> None:
    made = attachments.keep(ada, name="notes.txt", data=PICTURE)
    assert (made.media, made.name, made.width, made.height) == ("image/webp", "notes.txt.webp", 60, 40)


def test_members_may_upload_by_their_trust(ada: Member, moderator: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {trust: attachments.Allowed(files=trust + 1, size=1_000) for trust in Trust}
    monkeypatch.setattr(attachments, "ALLOWED", allowed)
    ada.trust = Trust.BASIC
    for _ in range(2):
        attachments.keep(ada, name="a.log", data=LOG)
    with pytest.raises(limits.TooOften):
        attachments.keep(ada, name="a.log", data=LOG)
    ada.trust = Trust.REGULAR
    with pytest.raises(limits.TooOften):
        attachments.keep(ada, name="a.log", data=b"x" * 990)
    attachments.keep(ada, name="a.log", data=LOG)
    for _ in range(3):
        attachments.keep(moderator, name="a.log", data=LOG)
    tomorrow = timezone.now() + timedelta(days=1, minutes=1)
    assert attachments.keep(ada, name="a.log", data=LOG, now=tomorrow).size == len(LOG)


def test_what_nothing_refers_to_is_swept(ada: Member, folder: Path, rack: Attachment, log: Attachment) -> None:
    kept = attachments.keep(ada, name="kept.log", data=b"kept")
    drafted = attachments.keep(ada, name="drafted.log", data=b"drafted")
    twin = attachments.keep(ada, name="twin.log", data=LOG)
    suggesting.post(author=ada, title="Smaller images", source=f"{kept.markdown} {twin.markdown}")
    texts.save_draft(ada, "forum.new", source=drafted.markdown)
    assert sweep.call() == 0
    Attachment.objects.update(made=timezone.now() - timedelta(days=3))
    assert sweep.call() == 2
    assert sorted(Attachment.objects.values_list("name", flat=True)) == ["drafted.log", "kept.log", "twin.log"]
    files = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert len(files) == 5  # nobody knows yet whether somebody is about to use them
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    sweep.call()
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == sorted(
        [kept.digest, drafted.digest, log.digest]
    )


def test_deleted_draft_leaves_its_files_to_the_sweep(ada: Member, rack: Attachment) -> None:
    post = blogging.begin(ada, Writing("A post of mine", rack.markdown))
    blogging.delete(post)
    assert Reference.objects.count() == 0


def test_owner_and_moderators_remove_a_file(
    people: dict[str, Client], rack: Attachment, log: Attachment, moderator: Member, ada: Member
) -> None:
    suggesting.post(author=ada, title="Smaller images", source=f"{rack.markdown} {log.markdown}")
    assert statuses({**people, "author": people["member"]}, f"/files/{rack.key}/remove/", {}) == [
        401,
        403,
        403,
        302,
        404,
    ]
    entry = AuditEntry.objects.get(action="file.remove")
    assert (entry.actor, entry.subject, entry.details["name"]) == (moderator, ada, "rack.webp")
    assert people["author"].post(f"/files/{log.key}/remove/").status_code == 302
    assert (Attachment.objects.count(), AuditEntry.objects.count()) == (0, 1)
    assert statuses(people, log.url) == [404] * 5


def test_member_takes_files_along_and_leaves_without_those_that_nobody_uses(
    people: dict[str, Client], ada: Member, rack: Attachment, log: Attachment
) -> None:
    suggesting.post(author=ada, title="Smaller images", source=log.markdown)
    Member.objects.filter(pk=ada.pk).update(picture="ab" * 32)
    exported = json.loads(b"".join(people["author"].post("/settings/data/download/")))["files"]
    assert [row["address"] for row in exported] == [f"/faces/{'ab' * 32}.webp", rack.url, log.url]
    ada.refresh_from_db()
    leaving.leave(ada)
    ada.refresh_from_db()
    assert (list(Attachment.objects.values_list("pk", flat=True)), ada.picture) == ([log.pk], "")


def test_member_has_a_picture_or_the_letter(people: dict[str, Client], bob: Member) -> None:
    answer = people["member"].post("/settings/picture/", {"face": upload("me.jpg", upload_files.photograph())})
    assert answer.status_code == 302
    bob.refresh_from_db()
    address = f"/faces/{bob.picture}.webp"
    assert f'<img class="avatar" src="{address}" alt=""' in people["visitor"].get("/m/bob/").content.decode()
    face = people["visitor"].get(address)
    assert (face.status_code, face["Cache-Control"], face["Content-Type"]) == (
        200,
        "public, max-age=31536000",
        "image/webp",
    )
    for data in ({"face": upload("me.jpg", b"no picture")}, {}):
        people["member"].post("/settings/picture/", data)
        assert Member.objects.get(pk=bob.pk).picture == bob.picture
    people["member"].post("/settings/picture/", {"letter": "1"})
    assert people["visitor"].get(address).status_code == 404
    assert statuses(people, "/settings/picture/", {}) == [401, 302, 302, 302, 302]


def test_private_file_is_no_face(people: dict[str, Client], rack: Attachment) -> None:
    assert people["visitor"].get(f"/faces/{rack.digest}.webp").status_code == 404


def test_pages_take_no_more_queries_for_more_files(ada: Member, category: Category, people: dict[str, Client]) -> None:
    thread = posting.start(category, author=ada, title="A rack of ours", source="first")
    address = f"/forum/t/{thread.pk}/{thread.slug}/"
    before = count_queries(people["member"], address)
    listed = []
    for count in range(1, 5):
        files = [attachments.keep(ada, name=f"{count}-{n}.log", data=b"%d %d" % (count, n)) for n in range(3)]
        posting.reply(thread, category, author=ada, source=" ".join(file.markdown for file in files))
        listed.append(count_queries(people["author"], "/files/"))
    assert count_queries(people["member"], address) == before
    assert len(set(listed)) == 1
    one = count_queries(people["member"], files[0].url)
    for _ in range(5):
        posting.reply(thread, category, author=ada, source=files[0].markdown)
    assert count_queries(people["member"], files[0].url) == one


def test_comment_that_waits_for_review_keeps_its_files_to_itself(
    people: dict[str, Client], ada: Member, bob: Member
) -> None:
    idea = suggesting.post(author=ada, title="Smaller images", source="text")
    Member.objects.filter(pk=bob.pk).update(trust=Trust.NEW)
    bob.refresh_from_db()
    file = attachments.keep(bob, name="a.log", data=LOG)
    links = " ".join(f"https://{n}.example" for n in range(4))
    comments.write(kinds.IDEA, idea.pk, author=bob, source=f"{links} {file.markdown}")
    assert Comment.objects.get().hidden
    assert statuses(people, file.url) == [404, 200, 404, 200, 200]
    assert signed_in(None).get(file.url).status_code == 404

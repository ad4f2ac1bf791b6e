"""Files of old forums become attachments of the posts that refer to them; hostile backups and folders are refused."""

import gzip
import hashlib
import io
import os
import tarfile
import tracemalloc
from collections import namedtuple
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

import upload_files
from forum_dumps import copied, discourse, inserted, phpbb
from jeos.core.errors import HostError, InputError, UsageError
from jeos.server.accounts.models import Member
from jeos.server.content import attachments, markdown
from jeos.server.content.models import Attachment, Reference
from jeos.server.forum.models import Post
from jeos.server.importing import archives, bbcode, gathering, placing, staging, standing, tasks
from jeos.server.importing.models import Import, Kind, Staged, State
from jeos.server.importing.records import File
from jeos.server.importing.sources import phpbb as phpbb_source
from jeos.server.importing.sources.uploads import DIGITS, Uploads, sha1_of
from jeos.server.jobs import work
from server_site import signed_in

pytestmark = pytest.mark.django_db
PICTURE = upload_files.drawing()
LOG = b"[    0.000000] Linux version 6.12\n"
Upload = namedtuple("Upload", "number name data")
RACK, BOOT, PLAN = Upload(11, "rack.png", PICTURE), Upload(12, "boot.log", LOG), Upload(13, "plan.txt", b"secret")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.FILES = tmp_path / "files"
    return tmp_path / "files"


def sha1(one: Upload) -> str:
    return hashlib.sha1(one.data).hexdigest()


def short(one: Upload) -> str:
    value, text = int(sha1(one), 16), ""
    while value:
        value, digit = divmod(value, 62)
        text = DIGITS[digit] + text
    return f"{text}.{one.name.rpartition('.')[2]}"


def address(one: Upload) -> str:
    name = sha1(one)
    return f"/uploads/default/original/1X/{name[0]}/{name[1]}/{name}.{one.name.rpartition('.')[2]}"


def dump(text: str, *uploads: Upload, more: Mapping[str, str] | None = None) -> str:
    """Return a dump of Discourse with uploads, whose post 101 has a text; `more` replaces texts of others."""
    made = discourse().replace("Post *1* of topic 1", text.replace("\n", "\\n"))
    for old, new in (more or {}).items():
        assert old in made
        made = made.replace(old, new)
    day = "2019-03-02 10:00:00"
    columns = ("id", "user_id", "original_filename", "url", "sha1", "created_at")
    return made + copied(
        "uploads", columns, [(one.number, 1, one.name, address(one), sha1(one), day) for one in uploads]
    )


def backup(path: Path, sql: str, members: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    """Write a backup of Discourse with files or other members beside its dump."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {"dump.sql.gz": gzip.compress(sql.encode()), **members}.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return path


def in_backup(*uploads: Upload) -> dict[str, bytes]:
    return {address(one)[1:]: one.data for one in uploads}


def bring(path: Path, *, source: str = "discourse", files: Path | None = None) -> Import:
    staging.stage(source, path, prefix="phpbb_" if source == "phpbb" else "", closed=(), files=files)
    run = Import.objects.get()
    while run.state is State.LOADING:
        tasks.advance.func(run.pk, run.turn)
        run.refresh_from_db()
    return run


def body(client: Client, address: str) -> tuple[int, bytes]:
    answer = client.get(address)
    return answer.status_code, b"".join(answer) if answer.streaming else answer.content


def test_uploads_of_a_backup_are_attachments_of_the_posts_that_show_them(tmp_path: Path, client: Client) -> None:
    text = f"See ![the rack|60x40](upload://{short(RACK)}) and [boot.log|attachment](upload://{short(BOOT)}) (34 Bytes)"
    run = bring(backup(tmp_path / "b.tar.gz", dump(text, RACK, BOOT, PLAN), in_backup(RACK, BOOT, PLAN)))
    assert (run.state, run.error, run.notes, run.done) == (State.FINISHED, "", [], run.total)
    rack, log = Attachment.objects.order_by("name")[::-1]
    assert (rack.name, rack.media, rack.width, rack.owner.handle) == ("rack.webp", "image/webp", 60, "person1")
    assert (log.name, log.size) == ("boot.log", len(LOG))
    post = Post.objects.get(number=1, thread__title="Topic number 1")
    assert post.source == f"See ![the rack](attachment:{rack.key}) and [boot.log](attachment:{log.key}) (34 Bytes)"
    assert f'src="{rack.url}"' in post.html
    assert body(client, log.url) == (200, LOG)
    assert sorted(Reference.objects.values_list("attachment", "number")) == [(rack.pk, post.pk), (log.pk, post.pk)]
    for old, new in {address(RACK): rack.url, f"/uploads/short-url/{short(BOOT)}": log.url}.items():
        answer = client.get(old)
        assert (answer.status_code, answer["Location"]) == (301, new)
    assert client.get(address(PLAN)).status_code == 404  # no post refers to it, so it did not come
    assert not gathering.shelf("discourse").exists()
    attachments.sweep(now=run.made)
    assert Attachment.objects.count() == 2


def test_file_of_a_closed_category_is_for_those_who_may_read_it(
    tmp_path: Path, client: Client, moderator: Member
) -> None:
    sql = dump("x", PLAN, more={"For us alone": f"[plan.txt|attachment](upload://{short(PLAN)})"})
    bring(backup(tmp_path / "b.tar.gz", sql, in_backup(PLAN)))
    made = Attachment.objects.get()
    for path in (made.url, address(PLAN)):
        assert client.get(path).status_code == 404
    assert signed_in(moderator).get(address(PLAN))["Location"] == made.url
    assert body(signed_in(moderator), made.url) == (200, PLAN.data)


def test_post_gets_no_file_that_it_was_not_given(tmp_path: Path) -> None:
    sql = dump(f"[a](old-file:{PLAN.number}) [b](upload://{short(RACK)})", PLAN, RACK)
    path = backup(tmp_path / "b.tar.gz", sql, in_backup(PLAN, RACK))
    bring(path)
    assert Attachment.objects.get().name == "rack.webp"
    source = Post.objects.get(number=1, thread__title="Topic number 1").source
    assert source.startswith(f"[a](old-file:{PLAN.number}) ![b](attachment:")


def test_file_that_two_posts_show_is_kept_once(tmp_path: Path) -> None:
    link = f"![r](upload://{short(RACK)})"
    bring(backup(tmp_path / "b.tar.gz", dump(link, RACK, more={"Post *2* of topic 2": link}), in_backup(RACK)))
    assert (Attachment.objects.count(), Reference.objects.count()) == (1, 2)


@pytest.mark.parametrize("packed", ["dump.sql", "b.tar.gz"])
def test_dump_without_its_files_comes_with_their_names(tmp_path: Path, packed: str) -> None:
    sql = dump(f"See ![the rack|60x40](upload://{short(RACK)})", RACK)
    path = tmp_path / packed
    if packed == "dump.sql":
        path.write_text(sql)
    else:
        backup(path, sql, {})
    run = bring(path)
    assert Post.objects.get(number=1, thread__title="Topic number 1").source == "See the rack"
    wanted = (
        "1 files: neither the dump nor --files has them" if packed == "dump.sql" else "rack.png: is not in the backup"
    )
    assert run.notes == [wanted]


def test_uploads_may_lie_in_a_folder(tmp_path: Path) -> None:
    place = tmp_path / "public" / address(RACK)[1:]
    place.parent.mkdir(parents=True)
    place.write_bytes(PICTURE)
    path = tmp_path / "dump.sql"
    path.write_text(dump(f"![r](upload://{short(RACK)})", RACK))
    assert bring(path, files=tmp_path / "public/uploads").notes == []
    assert Attachment.objects.get().picture


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        *(("![a|9x9,50%](upload://{short})", "[a](old-file:11)"), ("[a]({long})", "[a](old-file:11)")),
        ('![a](https://old.example{long} "a title")', "[a](old-file:11)"),
        ("![a](//cdn.example/original/1X/{sha1}.png)", "[a](old-file:11)"),
        ("![](/uploads/default/optimized/1X/{sha1}_2_690x388.png)", "[rack.png](old-file:11)"),
        ('<img src="{long}" width="60">', "[rack.png](old-file:11)"),
        ('<a class="attachment" href="{long}">rack</a> (1 KB)', "[rack](old-file:11) (1 KB)"),
        ("https://old.example/uploads/short-url/{short}", "[rack.png](old-file:11)"),
        ("![a](upload://9999.png)", "![a](upload://9999.png)"),
        ("![a](https://other.example/rack.png)", "![a](https://other.example/rack.png)"),
    ],
)
def test_upload_is_found_in_every_form_of_its_address(form: str, wanted: str) -> None:
    uploads = Uploads()
    made = Member().joined
    uploads.add(File(number=11, name="rack.png", author=1, made=made, place=address(RACK), key=sha1(RACK)))
    text = form.format(short=short(RACK), long=address(RACK), sha1=sha1(RACK))
    assert uploads.placed(text) == (wanted, (11,) if "old-file" in wanted else ())


def test_upload_of_before_2014_is_found_by_its_path() -> None:
    uploads = Uploads()
    uploads.add(File(number=5, name="a.pdf", author=1, made=Member().joined, place="/uploads/default/13/abc.pdf"))
    assert uploads.placed("[a](/uploads/default/13/abc.pdf)") == ("[a](old-file:5)", (5,))
    assert [one.place for one in uploads.new([5, 5])] == ["default/13/abc.pdf"]


def test_short_address_is_the_sha1_in_base_62() -> None:  # the pair stands in Discourse's spec/models/upload_spec.rb
    assert sha1_of("upload://r3AYqESanERjladb4vBB7VsMBm6.png") == "bda2c513e1da04f7b4e99230851ea2aafeb8cc4e"
    assert sha1_of(f"upload://{'Z' * 27}") == ""


@given(st.text(max_size=200) | st.text(st.sampled_from('<img src="a>[]()!/uploads/:|\\ \n'), max_size=300))
def test_any_text_has_its_files_placed(text: str) -> None:
    assert Uploads().placed(text) == (text, ())


@pytest.mark.parametrize("piece", ["<img ", "![", "[a](", "<a href=", "//a/", "<img src='a' "])
def test_addresses_without_end_cost_little(piece: str) -> None:
    assert Uploads().placed(piece * 20_000)[1] == ()


# phpBB


def forum(texts: Mapping[int, str], *files: tuple[int, int, str, str, int]) -> str:
    """Return a dump of phpBB with texts of posts, and files: number, post, name, name in the folder, in a message."""
    made = phpbb()
    made = made.replace("[i:3abc]Post[/i:3abc] 2", texts.get(72, "x").replace("'", "\\'"))
    columns = (
        *("attach_id", "post_msg_id", "real_filename", "physical_filename", "in_message"),
        *("is_orphan", "poster_id", "filetime"),
    )
    rows = [(n, post, name, where, private, 0, 2, 1_200_000_000) for n, post, name, where, private in files]
    return made + inserted("phpbb_attachments", columns, rows)


def phpbb_files(tmp_path: Path, **files: bytes) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_attachments_of_phpbb_stand_where_its_texts_put_them(tmp_path: Path, client: Client) -> None:
    path = tmp_path / "forum.sql"
    text = "Look: [attachment=1]rack.png[/attachment] [attachment=9]gone[/attachment] [x](old-file:33)"
    path.write_text(
        forum({72: text}, (31, 72, "rack.png", "2_aa", 0), (32, 72, "boot.log", "2_bb", 0), (33, 5, "p.txt", "2_cc", 1))
    )
    run = bring(path, source="phpbb", files=phpbb_files(tmp_path, **{"2_aa": PICTURE, "2_bb": LOG, "2_cc": b"x"}))
    assert (run.state, run.notes) == (State.FINISHED, [])
    rack, log = Attachment.objects.order_by("name")[::-1]
    assert Post.objects.get(number=2).source == (
        f"Look: ![rack.png](attachment:{rack.key}) gone \\[x\\](old-file:33)\n\n[boot.log](attachment:{log.key})"
    )
    for old in ("/download/file.php?id=32", "/phpBB3/download/file.php?id=32&mode=view"):
        assert client.get(old)["Location"] == log.url
    for old in ("/download/file.php?id=33", "/download/file.php", "/download/file.php?id=31x"):
        assert client.get(old).status_code == 404


def test_file_is_found_by_its_name_as_markdown_has_it() -> None:
    files = [File(number=n, name=name, author=2, made=Member().joined, place="2_x") for n, name in FILES]
    inner = "<s>[attachment=1]</s>my_[1].png<e>[/attachment]</e>"
    xml = f'<r><ATTACHMENT filename="my_[1].png" index="1">{inner}</ATTACHMENT></r>'
    text = bbcode.to_markdown(bbcode.unwrap(xml))
    assert phpbb_source.placed(text, files) == "[my_1.png](old-file:4)\n\n[b](old-file:9)"


FILES = [(9, "b"), (4, "my_[1].png")]


# Hostile


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"uploads/../../etc/x": b"x"}, "leads out of itself: uploads/../../etc/x"),
        ({"/etc/x": b"x"}, "leads out of itself: /etc/x"),
        ({"l": link("uploads/default/l", "/etc/passwd")}, "holds a link or device: uploads/default/l"),
        ({"l": link("uploads/default/l", "dump.sql.gz", tarfile.LNKTYPE)}, "holds a link or device"),
        ({"l": link("uploads/default/l", "", tarfile.CHRTYPE)}, "holds a link or device"),
        ({"l": link("uploads/default/l", "", tarfile.FIFOTYPE)}, "holds a link or device"),
    ],
)
def test_backup_that_leads_elsewhere_is_refused_whole(tmp_path: Path, member: dict[str, Any], message: str) -> None:
    path = backup(tmp_path / "b.tar.gz", dump(f"![r](upload://{short(RACK)})", RACK), {**in_backup(RACK), **member})
    with pytest.raises(InputError, match=message):
        staging.stage("discourse", path)
    run = Import.objects.get()
    assert (run.state, Staged.objects.count(), gathering.shelf("discourse").exists()) == (State.UNREAD, 0, False)
    assert message in run.error


def test_file_that_replaces_the_wanted_one_by_a_link_is_refused(tmp_path: Path) -> None:
    name = address(RACK)[1:]
    path = backup(tmp_path / "b.tar.gz", dump(f"![r](upload://{short(RACK)})", RACK), {name: link(name, "/etc/passwd")})
    with pytest.raises(InputError, match="link or device"):
        staging.stage("discourse", path)


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../secret", "", "..", "a\\..\\b"])
def test_dump_of_phpbb_that_names_a_file_elsewhere_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = tmp_path / "forum.sql"
    path.write_text(forum({}, (31, 72, "a.txt", place, 0)))
    with pytest.raises(InputError, match="outside of the folder"):
        staging.stage("phpbb", path, prefix="phpbb_", closed=(), files=phpbb_files(tmp_path))
    assert not gathering.shelf("phpbb").exists()


@pytest.mark.parametrize("kind", ["link", "folder", "linked folder", "fifo"])
def test_folder_of_phpbb_with_links_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/a").write_bytes(b"secret")
    folder = phpbb_files(tmp_path)
    place = "2_aa"
    if kind == "link":
        (folder / place).symlink_to(tmp_path / "secret/a")
    elif kind == "folder":
        (folder / place).mkdir()
    elif kind == "fifo":
        os.mkfifo(folder / place)
    else:
        (folder / "d").symlink_to(tmp_path / "secret")
        place = "d/a"
    path = tmp_path / "forum.sql"
    path.write_text(forum({}, (31, 72, "a.txt", place, 0)))
    with pytest.raises(InputError, match=r"cannot be read|is no file"):
        staging.stage("phpbb", path, prefix="phpbb_", closed=(), files=folder)


def test_files_that_are_not_taken_are_listed_and_the_rest_comes(tmp_path: Path, settings: Settings) -> None:
    settings.FILE_BYTES = 1 << 20
    files = {
        "2_aa": b"<script>alert(1)</script>",
        "2_bb": b"MZ not a pdf",
        "2_cc": bytes((1 << 20) + 1),
        "2_dd": upload_files.bomb(),
        "2_ee": LOG,
        "2_gg": b"",
    }
    names = ("page.html", "a.pdf", "huge.txt", "bomb.png", "boot.log", "gone.txt", "empty.txt")
    path = tmp_path / "forum.sql"
    rows = [(31 + n, 72, name, f"2_{chr(97 + n) * 2}", 0) for n, name in enumerate(names)]
    path.write_text(forum({72: "Text"}, *rows))
    run = bring(path, source="phpbb", files=phpbb_files(tmp_path, **files))
    assert sorted(run.notes) == [
        "a.pdf: is not what its ending says",
        "bomb.png: has too many pixels",
        "empty.txt: is empty",
        "gone.txt: is not in the folder",
        "huge.txt: is larger than 1 MiB",
        "page.html: is of a kind that is not taken here",
    ]
    assert (run.state, run.done, Attachment.objects.get().name) == (State.FINISHED, run.total, "boot.log")
    source = Post.objects.get(number=2).source
    assert source.startswith("Text\n\npage.html\n\na.pdf")
    assert "<script" not in markdown.render(source).html


def test_full_disk_ends_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "RESERVE", 1 << 60)
    path = backup(tmp_path / "b.tar.gz", dump(f"![r](upload://{short(RACK)})", RACK), in_backup(RACK))
    with pytest.raises(HostError, match="nearly full"):
        staging.stage("discourse", path)
    assert "nearly full" in Import.objects.get().error


def test_torn_backup_and_missing_folder_are_refused(tmp_path: Path) -> None:
    path = backup(tmp_path / "b.tar.gz", dump(f"![r](upload://{short(RACK)})", RACK), {"x": os.urandom(60_000)})
    path.write_bytes(path.read_bytes()[:-30_000])
    with pytest.raises(InputError, match="cannot be read"):
        staging.stage("discourse", path)
    path = tmp_path / "forum.sql"
    path.write_text(forum({}, (31, 72, "a.txt", "2_aa", 0)))
    with pytest.raises(UsageError, match="there is no folder"):
        staging.stage("phpbb", path, prefix="phpbb_", closed=(), files=tmp_path / "none")


@pytest.mark.django_db(transaction=True)
def test_file_that_breaks_stops_the_import_and_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, data: bytes) -> attachments.Prepared:
        if name == BOOT.name:
            raise MemoryError("no memory")
        return real(name, data)

    real = attachments.prepare
    monkeypatch.setattr(attachments, "prepare", broken)
    text = f"![r](upload://{short(RACK)}) [b](upload://{short(BOOT)})"
    staging.stage("discourse", backup(tmp_path / "b.tar.gz", dump(text, RACK, BOOT), in_backup(RACK, BOOT)))
    work.work(once=True)
    run = Import.objects.get()
    assert (run.state, run.error, run.done) == (State.FAILED, "file 12: MemoryError: no memory", 0)
    standing.resume("discourse", without=True)
    work.work(once=True)
    run.refresh_from_db()
    assert (run.state, run.done, run.notes) == (State.FINISHED, run.total, ["file 12: MemoryError: no memory"])
    assert (Attachment.objects.get().name, Post.objects.count()) == ("rack.webp", 8)


def test_pictures_of_members_come_from_the_backup_and_the_same_one_is_kept_once(tmp_path: Path, client: Client) -> None:
    face, broken = Upload(21, "me.png", PICTURE), Upload(22, "it.png", b"\x89PNG\r\n\x1a\n and no more")
    sql = dump(f"![r](upload://{short(face)})", face, broken)
    run = bring(backup(tmp_path / "b.tar.gz", sql, in_backup(face, broken)))
    assert (run.state, run.notes) == (State.FINISHED, ["picture of Person3: is no picture that can be read"])
    one, two, three = Member.objects.filter(handle__startswith="person").order_by("handle")
    assert one.picture == two.picture != three.picture == ""
    status, data = body(client, f"/faces/{one.picture}.webp")
    assert (status, data[8:12]) == (200, b"WEBP")
    assert (Attachment.objects.get().width, run.report["came"]["face"], run.report["left"]) == (
        *(60, 2),
        {"message": 1, "face": 1},
    )
    assert not gathering.shelf("discourse").exists()


def test_picture_of_a_member_is_bounded_as_uploaded_ones_are(tmp_path: Path, settings: Settings) -> None:
    settings.FILE_BYTES = 1 << 20
    bomb, huge = Upload(21, "bomb.png", upload_files.bomb()), Upload(22, "huge.png", PICTURE + bytes(1 << 20))
    run = bring(backup(tmp_path / "b.tar.gz", dump("x", bomb, huge), in_backup(bomb, huge)))
    assert sorted(run.notes) == [
        "picture of Person1: has too many pixels",
        "picture of Person2: has too many pixels",
        "picture of Person3: is larger than 1 MiB",
    ]
    assert (run.done, run.report["left"]["face"]) == (run.total, 3)
    assert set(Member.objects.values_list("picture", flat=True)) == {""}


def test_file_is_prepared_again_where_a_worker_died(tmp_path: Path) -> None:
    path = backup(tmp_path / "b.tar.gz", dump(f"![r](upload://{short(RACK)})", RACK), in_backup(RACK))
    staging.stage("discourse", path)
    run = Import.objects.get()
    before = Staged.objects.get(kind=Kind.FILE)
    assert placing.prepare(run.pk) is False
    Staged.objects.filter(pk=before.pk).update(topic=before.topic, data=before.data)  # it died before it said so
    tasks.advance.func(run.pk, 0)
    made = Attachment.objects.get()
    assert (made.name, made.width, made.height) == ("rack.webp", 60, 40)


def octal(number: int, width: int) -> bytes:
    return f"{number:0{width - 1}o}".encode() + b"\0"


def block(kind: bytes, *, size: int) -> bytes:
    """Return the block that announces a member (POSIX.1-1988, ustar), with its sum."""
    head = bytearray(512)
    head[:7], head[100:108], head[108:124] = b"uploads", octal(0o644, 8), octal(0, 8) * 2
    head[124:136], head[136:148], head[156:157], head[257:265] = octal(size, 12), octal(0, 12), kind, b"ustar\x0000"
    head[148:156] = b" " * 8
    head[148:156] = octal(sum(head), 7) + b" "
    return bytes(head)


@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
@pytest.mark.parametrize("first", [True, False])
def test_header_without_end_is_refused_before_it_is_read(tmp_path: Path, kind: bytes, first: bool) -> None:
    path, size = tmp_path / "backup.tar.gz", 1 << 30
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(b"" if first else block(b"0", size=0))
        packed.write(block(kind, size=size))
        for _ in range(64):
            packed.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(InputError, match="cannot be read"):
        staging.stage("discourse", path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_file_with_holes_is_refused_before_its_map_is_read(tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    said = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    numbers = b"9999999\n" + b"1\n" * (4 << 20)
    with path.open("wb") as file:
        file.write(block(b"x", size=len(said)) + said + bytes(-len(said) % 512))
        file.write(block(b"0", size=len(numbers)) + numbers + bytes(-len(numbers) % 512))
    tracemalloc.start()
    with pytest.raises(InputError, match="a file with holes"):
        staging.stage("discourse", path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_long_name_within_bounds_is_read(tmp_path: Path) -> None:
    path = tmp_path / "backup.tar.gz"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(path, "w:gz", format=form) as archive:
            about = tarfile.TarInfo("é/" * 400 + "file")
            archive.addfile(about, io.BytesIO())
        with archives.opened(path) as read:
            assert [member.name for member in read] == [about.name]

"""Channels that the site follows: real ones, served over HTTP, by their vendor and by those who would like to be it."""

import datetime
import ipaddress
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

import channel_builds
from catalogue_site import make_appliance, make_publisher, publication
from channel_keys import Clock, Vendor, vendor
from jeos.build.outputs import Outputs
from jeos.channel import built, change, serve
from jeos.channel.folder import FolderBackend
from jeos.channel.publish import Offer, publish
from jeos.server.accounts.models import Member, Trust
from jeos.server.catalogue import channels, publishing, tasks
from jeos.server.catalogue.models import Appliance, Signature, Version
from jeos.server.content import following, kinds
from jeos.server.content.models import Notification
from jeos.server.outside import Rules
from scripted_server import Asked, drip, head, serving
from server_site import statuses

pytestmark = pytest.mark.django_db
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@pytest.fixture(autouse=True)
def here(settings: Settings, tmp_path: Path) -> None:
    """Let the worker reach this host, as an operator can, and keep what it trusts below the test's folder."""
    settings.OUTSIDE = Rules(plain=True, networks=LOOPBACK)
    settings.CHANNELS = tmp_path / "kept"


@pytest.fixture(scope="module")
def made() -> Vendor:
    return vendor(clock=Clock(time.time()))


@pytest.fixture(scope="module")
def builds(made: Vendor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        version: channel_builds.build(
            folder / version, name="web", version=version, trust=made.roots[0], contents={"v": version.encode()}
        )
        for version in ("1.0", "1.1", "1.2")
    }


Put = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "channel"


@pytest.fixture
def put(folder: Path, tmp_path: Path, made: Vendor, builds: dict[str, Outputs]) -> Put:
    """Return what publishes a version into the channel."""

    def act(version: str, offer: Offer | None = None) -> None:
        (tmp_path / "work").mkdir(exist_ok=True)
        one = builds[version]
        proved = built.check(one.image, folder=one.folder)
        publish(proved, FolderBackend(folder), keys=made.keys(), offer=offer or Offer(), work=tmp_path / "work")

    return act


@pytest.fixture
def address(folder: Path, put: Put) -> Iterator[str]:
    put("1.0", Offer(notes="the *first*"))
    with serve.serving(folder) as address:
        yield address


def follow(owner: Member, address: str, root: bytes) -> Appliance:
    """List an appliance by its channel, and read the channel once."""
    publisher = make_publisher(owner)
    appliance = channels.begin(publisher, "web", channel=address, root=root.decode(), by=owner)
    return again(appliance)


def again(appliance: Appliance) -> Appliance:
    """Read an appliance's channel, and return the appliance as it is then."""
    tasks.read_channel.call(appliance.pk)
    return Appliance.objects.select_related("publisher").get(pk=appliance.pk)


def test_what_the_keys_vouch_for_becomes_versions(
    ada: Member,
    bob: Member,
    people: dict[str, Client],
    address: str,
    folder: Path,
    made: Vendor,
    put: Put,
    builds: dict[str, Outputs],
) -> None:
    appliance = follow(ada, address, made.roots[0])
    assert (appliance.signature, appliance.signature_problem, appliance.newest) == (Signature.VERIFIED, "", "1.0")
    assert appliance.architecture == "amd64"
    assert [key["role"] for key in appliance.keys] == ["root", "snapshot", "targets", "timestamp"]
    assert appliance.keys[2]["ids"] == [made.signers["targets"].public_key.keyid]
    version = Version.objects.get()
    assert (version.root_hash, version.signed, version.by) == (builds["1.0"].image.root_hash, True, None)
    assert (version.changes_html, version.system_size > 0, version.download_size > 0) == (
        "<p>the <em>first</em></p>\n",
        True,
        True,
    )
    following.set_level(bob, kinds.APPLIANCE, appliance.pk, 1)
    put("1.1", Offer(ring="beta"))
    put("1.2")
    change.withdraw(FolderBackend(folder), "1.0", keys=made.keys())
    appliance = again(appliance)
    rows = {row.version: (row.ring, row.withdrawn, row.signed) for row in Version.objects.all()}
    assert rows == {"1.0": ("stable", True, True), "1.1": ("beta", False, True), "1.2": ("stable", False, True)}
    assert appliance.newest == "1.2"
    for row in DBTaskResult.objects.filter(task_path__endswith="catalogue.tasks.announce"):
        tasks.announce.call(*row.args_kwargs["args"])
    assert Notification.objects.get(member=bob).title == "web 1.2"
    page = people["visitor"].get("/catalogue/@acme/web/").content.decode()
    for words in ("signed", made.signers["root"].public_key.keyid, address, "Fresh until"):
        assert words in page, words


def test_description_that_was_read_is_not_read_again(ada: Member, address: str, folder: Path, made: Vendor) -> None:
    appliance = follow(ada, address, made.roots[0])
    for path in (folder / "targets/releases").iterdir():
        path.unlink()
    assert again(appliance).signature == Signature.VERIFIED
    Version.objects.update(described="")
    appliance = again(appliance)  # a file that is not there is an error, but nobody's forgery
    assert (appliance.signature, "is not in" in appliance.signature_problem) == (Signature.FAILED, True)


def test_channel_of_other_keys_is_not_believed(
    ada: Member, people: dict[str, Client], address: str, folder: Path, made: Vendor, builds: dict[str, Outputs]
) -> None:
    appliance = follow(ada, address, vendor().roots[0])
    assert (appliance.signature, appliance.versions) == (Signature.FAILED, 0)
    assert "is not signed as it must be" in appliance.signature_problem
    page = people["visitor"].get("/catalogue/@acme/web/").content.decode()
    assert "not verified" in page
    assert appliance.signature_problem.partition(":")[0] in page
    channels.set_channel(appliance, channel=address, root=made.roots[0].decode())
    assert again(appliance).signature == Signature.VERIFIED


def test_channel_that_another_took_over_counts_at_once(
    ada: Member, address: str, folder: Path, made: Vendor, put: Put, tmp_path: Path
) -> None:
    appliance = follow(ada, address, made.roots[0])
    other = vendor(clock=Clock(time.time()))
    shutil.rmtree(folder)
    stolen = channel_builds.build(tmp_path / "stolen", name="web", version="9.0", trust=other.roots[0])
    proved = built.check(stolen.image, folder=stolen.folder)
    publish(proved, FolderBackend(folder), keys=other.keys(), offer=Offer(), work=tmp_path / "work")
    appliance = again(appliance)
    assert (appliance.signature, appliance.newest, Version.objects.count()) == (Signature.FAILED, "1.0", 1)


def test_older_state_is_not_believed_later(
    ada: Member, address: str, folder: Path, made: Vendor, put: Put, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "old")
    put("1.1")
    appliance = follow(ada, address, made.roots[0])
    assert appliance.newest == "1.1"
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "old", folder)
    appliance = again(appliance)
    assert (appliance.signature, appliance.newest) == (Signature.FAILED, "1.1")


def test_outdated_signatures_do_not_count(
    ada: Member, folder: Path, tmp_path: Path, builds: dict[str, Outputs]
) -> None:
    old = vendor(clock=Clock(time.time() - 60 * 86_400))
    one = channel_builds.build(tmp_path / "one", name="web", version="1.0", trust=old.roots[0])
    (tmp_path / "work").mkdir()
    proved = built.check(one.image, folder=one.folder)
    publish(proved, FolderBackend(folder), keys=old.keys(), offer=Offer(), work=tmp_path / "work")
    with serve.serving(folder) as address:
        appliance = follow(ada, address, old.roots[0])
    assert (appliance.signature, "expired" in appliance.signature_problem) == (Signature.FAILED, True)


def test_unreachable_channel_stays_what_it_was_until_it_is_outdated(ada: Member, address: str, made: Vendor) -> None:
    appliance = follow(ada, address, made.roots[0])
    Appliance.objects.update(channel="http://127.0.0.1:9/web")
    shutil.copytree(channels.folder(appliance), channels.folder(Appliance.objects.get()))
    appliance = again(appliance)
    assert (appliance.signature, appliance.failures) == (Signature.VERIFIED, 1)
    assert "cannot be reached" in appliance.signature_problem
    assert appliance.check_after is not None
    assert appliance.check_after > timezone.now() + datetime.timedelta(hours=1)
    Appliance.objects.update(fresh_until=timezone.now() - datetime.timedelta(days=1))
    appliance = again(appliance)
    assert (appliance.signature, appliance.failures) == (Signature.FAILED, 2)


def test_other_content_than_was_published_is_said(
    ada: Member, people: dict[str, Client], address: str, made: Vendor, builds: dict[str, Outputs]
) -> None:
    publisher = make_publisher(ada)
    one = publication("1.0", root_hash="f" * 64, channel=address, root=made.roots[0].decode())
    publishing.publish(one, publisher=publisher, by=ada)
    appliance = again(Appliance.objects.get())
    assert (appliance.signature, Version.objects.get().signed) == (Signature.FAILED, False)
    assert "other content than was published here: 1.0" in appliance.signature_problem
    assert Version.objects.get().root_hash == "f" * 64
    Version.objects.update(root_hash=builds["1.0"].image.root_hash)
    appliance = again(appliance)
    assert (appliance.signature, Version.objects.get().signed) == (Signature.VERIFIED, True)


def test_channel_of_another_appliance_is_refused(ada: Member, address: str, made: Vendor) -> None:
    publisher = make_publisher(ada)
    appliance = channels.begin(publisher, "db", channel=address, root=made.roots[0].decode(), by=ada)
    appliance = again(appliance)
    assert (appliance.signature, appliance.versions) == (Signature.FAILED, 0)
    assert appliance.signature_problem == "the channel is that of web, not of db"


@pytest.mark.parametrize(
    "inside", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "https://2130706433:{port}/", "https://[::1]/x"]
)
def test_address_inside_is_not_asked(ada: Member, made: Vendor, settings: Settings, inside: str) -> None:
    def answer(asked: Asked, connection: socket.socket) -> bool:
        return False

    settings.OUTSIDE = Rules(plain=True)
    with serving(answer) as server:
        appliance = follow(ada, inside.format(port=server.port), made.roots[0])
        assert server.connections == 0
    assert "not a public address" in appliance.signature_problem
    assert appliance.signature == Signature.WAITING  # nothing was found out about the channel


def test_redirect_inside_is_not_followed(ada: Member, made: Vendor, address: str) -> None:
    def redirect(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(head("302 Found", Location=f"{address}{asked.path}", Content_Length=0))
        return False

    with serving(redirect) as server:
        appliance = follow(ada, server.address, made.roots[0])
    assert "answers 302" in appliance.signature_problem
    assert appliance.versions == 0


def test_endless_file_and_slow_drip_end_soon(ada: Member, made: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(head("200 OK"))
        while True:
            connection.sendall(b"x" * 65_536)

    with serving(endless) as server:
        appliance = follow(ada, server.address, made.roots[0])
    assert "answers more than" in appliance.signature_problem

    def slow(asked: Asked, connection: socket.socket) -> bool:
        drip(connection, head("200 OK", Content_Length=10_000) + b"x" * 10_000, pause=0.05)
        return False

    from jeos.server import worker

    monkeypatch.setattr(worker, "SECONDS", 1.0)
    with serving(slow) as server:
        channels.set_channel(appliance, channel=server.address, root=made.roots[0].decode())
        appliance = again(appliance)
    assert "no answer within" in appliance.signature_problem


@pytest.mark.parametrize("root", ["", "{", "[]", '{"signed": {"_type": "root"}}', "[" * 100_000])
def test_root_that_is_none_is_said(ada: Member, address: str, root: str) -> None:
    appliance = follow(ada, address, root.encode())
    assert appliance.versions == 0
    assert appliance.signature_problem != ""
    assert appliance.signature == Signature.FAILED


def test_channels_are_read_when_they_are_due(ada: Member, address: str, made: Vendor) -> None:
    appliance = follow(ada, address, made.roots[0])
    make_appliance(ada, appliance.publisher, name="without")
    DBTaskResult.objects.all().delete()
    assert tasks.read_channels.call() == 0
    Appliance.objects.filter(pk=appliance.pk).update(check_after=timezone.now())
    assert tasks.read_channels.call() == 1
    assert DBTaskResult.objects.get().args_kwargs["args"] == [appliance.pk]


def test_forms_are_for_those_who_publish(people: dict[str, Client], ada: Member, made: Vendor) -> None:
    make_appliance(ada)
    root = made.roots[0].decode()
    for path in ("/catalogue/@acme/-/channel/", "/catalogue/@acme/web/channel/"):
        assert statuses(people, path) == [401, 403, 200, 403, 403], path
        data = {"name": "clock", "channel": "https://updates.example/clock", "root": "no root"}
        assert statuses(people, path, data) == [401, 403, 200, 403, 403], path
        assert statuses(people, path, {**data, "root": root})[2] == 302, path
    clock, web = (Appliance.objects.get(name=name) for name in ("clock", "web"))
    assert (clock.channel, clock.signature, clock.root) == ("https://updates.example/clock", Signature.WAITING, root)
    assert (web.channel, web.signature) == ("https://updates.example/clock", Signature.WAITING)
    data = {"name": "clock", "channel": "https://updates.example/clock", "root": root}
    assert people["author"].post("/catalogue/@acme/-/channel/", data).status_code == 200  # listed already
    people["author"].post("/catalogue/@acme/web/channel/", {"channel": "", "root": ""})
    web.refresh_from_db()
    assert (web.channel, web.signature, web.check_after) == ("", Signature.NONE, None)


def test_channel_of_a_new_member_waits(ada: Member, address: str, made: Vendor) -> None:
    Member.objects.update(trust=Trust.NEW)
    ada.refresh_from_db()
    appliance = follow(ada, address, made.roots[0])
    assert (appliance.hidden, appliance.signature) == (True, Signature.VERIFIED)


def test_published_appliance_is_checked_with_its_root(ada: Member, address: str, made: Vendor) -> None:
    publisher = make_publisher(ada)
    one = publication("1.0", root_hash="", channel=address, root=made.roots[0].decode())
    publishing.publish(one, publisher=publisher, by=ada)
    (queued,) = DBTaskResult.objects.filter(task_path__endswith="catalogue.tasks.read_channel")
    tasks.read_channel.call(*queued.args_kwargs["args"])
    appliance, version = Appliance.objects.get(), Version.objects.get()
    assert (appliance.signature, version.signed, version.by) == (Signature.VERIFIED, True, ada)
    assert version.changes == "- **new**"  # what the publisher said stays
    assert json.loads(appliance.root)["signed"]["_type"] == "root"

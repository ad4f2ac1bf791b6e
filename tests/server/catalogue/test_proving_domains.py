"""Publishers that prove a domain: the file is fetched over TLS, and only from where the server may go."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from catalogue_site import make_appliance, make_publisher
from certificates import certificate
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers, tasks
from jeos.server.catalogue.models import Appliance, Publisher, Verified
from jeos.server.content.models import AuditEntry
from jeos.server.outside import Rules
from scripted_server import head
from server_site import statuses

pytestmark = pytest.mark.django_db
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass
class Domain:
    """A server with a certificate, and what its file says."""

    name: str
    says: str = ""


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Domain]:
    public, private = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(public))  # what the machine trusts
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Domain(name=f"localhost:{listening.getsockname()[1]}")

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True) as line:
                        asked = line.recv(4_000).split(b" ")[1].decode()
                        body = found.says.encode()
                        status = "200 OK" if asked == publishers.PROOF_FILE else "404 Not Found"
                        line.sendall(head(status, Content_Length=len(body)) + body)

        threading.Thread(target=serve, daemon=True).start()
        yield found
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def here(settings: Settings) -> None:
    settings.OUTSIDE = Rules(networks=LOOPBACK)


def look(publisher: Publisher) -> Publisher:
    """Let the worker look at the file, and return the publisher as it is then."""
    tasks.prove_domain.call(publisher.pk)
    publisher.refresh_from_db()
    return publisher


def test_line_on_the_domain_verifies_a_publisher(ada: Member, domain: Domain, people: dict[str, Client]) -> None:
    appliance = make_appliance(ada)
    publisher = appliance.publisher
    publishers.set_domain(publisher, domain.name)
    assert DBTaskResult.objects.filter(task_path__endswith="prove_domain").count() == 1
    domain.says = f"nothing of that\ntestserver @acme {publisher.proof[:-1]}\n"
    assert look(publisher).verified == Verified.NO
    assert "does not have the line testserver @acme" in publisher.proof_problem
    domain.says = f"# for the exchange\n  {publishers.proof_line(publisher)}  \n"
    assert (look(publisher).verified, publisher.proof_problem) == (Verified.DOMAIN, "")
    assert Appliance.objects.get().verified
    assert AuditEntry.objects.get(action="publisher.verify").details["how"] == "DOMAIN"
    page = people["visitor"].get("/catalogue/@acme/").content.decode()
    assert f"verified by its domain: {domain.name}" in page
    assert "Web front" in people["visitor"].get("/catalogue/?verified=1").content.decode()


def test_proof_is_another_publishers_no_proof(ada: Member, bob: Member, domain: Domain) -> None:
    mine, other = make_publisher(ada), make_publisher(bob, "other")
    domain.says = publishers.proof_line(mine)
    publishers.set_domain(other, domain.name)
    assert look(other).verified == Verified.NO


def test_proof_that_is_gone_counts_for_a_while(ada: Member, domain: Domain) -> None:
    publisher = make_publisher(ada)
    domain.says = publishers.proof_line(publisher)
    publishers.set_domain(publisher, domain.name)
    look(publisher)
    domain.says = ""
    assert look(publisher).verified == Verified.DOMAIN
    Publisher.objects.update(verified_at=timezone.now() - timedelta(days=31))
    publisher.refresh_from_db()
    assert look(publisher).verified == Verified.NO


def test_another_domain_begins_anew_and_the_teams_word_stays(ada: Member, domain: Domain) -> None:
    publisher = make_publisher(ada)
    domain.says = publishers.proof_line(publisher)
    publishers.set_domain(publisher, domain.name)
    look(publisher)
    publishers.set_domain(publisher, "example.org")
    assert publisher.verified == Verified.NO
    publishers.vouch(publisher, Verified.TEAM, actor=ada)
    publishers.set_domain(publisher, domain.name)
    assert look(publisher).verified == Verified.TEAM


def test_domain_inside_is_not_asked(ada: Member, domain: Domain, settings: Settings) -> None:
    settings.OUTSIDE = Rules()
    publisher = make_publisher(ada)
    domain.says = publishers.proof_line(publisher)
    publishers.set_domain(publisher, domain.name)
    assert look(publisher).verified == Verified.NO
    assert "not a public address" in publisher.proof_problem


def test_domains_are_looked_at_again(ada: Member, bob: Member) -> None:
    publisher = make_publisher(ada)
    make_publisher(bob, "without")
    assert tasks.prove_domains.call() == 0
    Publisher.objects.filter(pk=publisher.pk).update(domain="example.org")
    assert tasks.prove_domains.call() == 1
    Publisher.objects.filter(pk=publisher.pk).update(proof_checked=timezone.now())
    assert tasks.prove_domains.call() == 0
    Publisher.objects.filter(pk=publisher.pk).update(proof_checked=timezone.now() - timedelta(days=8))
    assert tasks.prove_domains.call() == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        *(("example.org", "example.org"), ("Example.ORG.", "example.org"), ("a-b.example.org", "a-b.example.org")),
        *(("", ""), ("localhost", ""), ("127.0.0.1", ""), ("example.org/x", ""), ("example.org:8443", "")),
        *(("user@example.org", ""), ("-x.org", ""), ("x..org", ""), ("[::1]", ""), ("a" * 64 + ".org", "")),
    ],
)
def test_domain_is_the_name_of_a_host(people: dict[str, Client], ada: Member, name: str, kept: str) -> None:
    make_publisher(ada)
    people["author"].post("/catalogue/@acme/-/domain/", {"domain": name})
    assert Publisher.objects.get().domain == kept


def test_domain_is_said_by_owners(people: dict[str, Client], ada: Member) -> None:
    publisher = make_publisher(ada)
    path = "/catalogue/@acme/-/domain/"
    assert statuses(people, path, {"domain": "example.org"}) == [401, 403, 302, 403, 302]
    page = people["author"].get("/catalogue/@acme/-/manage/").content.decode()
    assert publishers.proof_line(publisher) in page
    assert "https://example.org/.well-known/jeos-publisher.txt" in page

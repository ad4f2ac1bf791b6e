"""Every text that pages show as HTML keeps the files that it refers to, whichever section writes it."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import JSONField, TextField
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from catalogue_site import make_appliance
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers, publishing
from jeos.server.catalogue.models import Power
from jeos.server.content import attachments
from jeos.server.content.models import Attachment
from jeos.server.content.models.texts import Text
from jeos.server.content.tasks import sweep
from jeos.server.ideas import answering, suggesting
from jeos.server.ideas.models import Status
from jeos.server.practices import proving
from jeos.server.practices import writing as practising
from jeos.server.practices.models import PARTS, Practice, Verdict
from server_events import gather, make_event
from server_site import make_member, statuses

pytestmark = pytest.mark.django_db


def _practice(author: Member, source: str) -> Practice:
    made = practising.draft(practising.Wanted(title="Sign all", parts=dict.fromkeys(PARTS, source)), author=author)
    practising.submit(made)
    return made


def _peer(author: Member, source: str) -> None:
    peer = make_member("peer")
    proving.review(_practice(author, "text"), reviewer=peer, verdict=Verdict.APPROVE, source=source)


def _answer(author: Member, source: str) -> None:
    idea = suggesting.post(author=author, title="Smaller images", source="text")
    answering.answer(idea, status=Status.PLANNED, source=source, actor=author)


def _call(author: Member, source: str) -> None:
    make_event(gather(), call_source=source)


def _changes(author: Member, source: str) -> None:
    make_appliance(author, changes=source)


# The fields with HTML that stand beside the one of a `Text`, and what writes them.
WRITERS: Mapping[str, Callable[[Member, str], object]] = {
    "catalogue.Version.changes_html": _changes,
    "events.Event.call_html": _call,
    "ideas.Idea.answer_html": _answer,
    "practices.Practice.html": _practice,
    "practices.Review.html": _peer,
}


def fields_with_html() -> list[str]:
    """Return the fields of the site's tables that hold what a text looks like, but for the one of `Text`."""
    return [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, TextField | JSONField)
        and (field.name.endswith("_html") or (field.name == "html" and not issubclass(model, Text)))
    ]


def test_every_field_with_html_is_known_here() -> None:
    assert sorted(fields_with_html()) == sorted(WRITERS)


@pytest.mark.parametrize("field", WRITERS)
def test_file_in_a_text_is_for_its_readers_and_stays(
    field: str, people: dict[str, Client], ada: Member, tmp_path: Path, settings: Settings
) -> None:
    settings.FILES = tmp_path / "files"
    file = attachments.keep(ada, name="boot.log", data=b"[    0.000000] Linux\n")
    WRITERS[field](ada, f"See {file.markdown}")
    label, _dot, name = field.rpartition(".")
    assert file.url in str(apps.get_model(label).objects.values_list(name, flat=True).get())
    Attachment.objects.update(made=timezone.now() - timedelta(days=30))
    assert sweep.call() == 0
    assert statuses(people, file.url) == [200] * 5


def test_file_of_what_is_hidden_is_for_those_who_publish_it(
    people: dict[str, Client], ada: Member, bob: Member, tmp_path: Path, settings: Settings
) -> None:
    settings.FILES = tmp_path / "files"
    file = attachments.keep(ada, name="boot.log", data=b"[    0.000000] Linux\n")
    appliance = make_appliance(ada, changes=file.markdown)
    publishing.set_hidden(appliance.pk, True)
    assert statuses(people, file.url) == [404, 404, 200, 200, 200]
    publishers.seat(appliance.publisher, bob, power=Power.MAINTAINER)
    assert statuses(people, file.url) == [404, 200, 200, 200, 200]

"""The appliances of the example community: what the site says of their signatures, it has found out."""

import json
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from jeos.server import demo
from jeos.server.catalogue import channels
from jeos.server.catalogue.models import Appliance, Signature, Version

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def example(tmp_path: Path, settings: Settings) -> None:
    settings.CHANNELS = tmp_path / "kept"
    demo.fill()


def test_signatures_are_those_of_channels_that_were_followed() -> None:
    said = {row.name: Signature(row.signature).name for row in Appliance.objects.all()}
    assert said == {"web-front": "VERIFIED", "dicom-relay": "FAILED", "time-server": "NONE", "bridge": "NONE"}
    good = Appliance.objects.select_related("publisher").get(name="web-front")
    root = json.loads(good.root)["signed"]
    assert {key["role"]: key["ids"] for key in good.keys} == {
        role: one["keyids"] for role, one in root["roles"].items()
    }
    kept = channels.folder(good) / "timestamp.json"  # what a client trusts now
    assert json.loads(kept.read_bytes())["signed"]["_type"] == "timestamp"
    assert set(Version.objects.filter(appliance=good).values_list("signed", flat=True)) == {True}
    bad = Appliance.objects.get(name="dicom-relay")
    assert ("expired" in bad.signature_problem, bad.keys, bad.fresh_until) == (True, [], None)
    assert not Version.objects.exclude(appliance=good).filter(signed=True).exists()


def test_page_says_how_it_was_found() -> None:
    page = Client().get("/catalogue/@slotworks/web-front/").content.decode()
    for key in Appliance.objects.get(name="web-front").keys:
        assert key["ids"][0] in page
    assert "expired" in Client().get("/catalogue/@clinic-it/dicom-relay/").content.decode()

"""What recipe and operator set, and what a wrong file of the operator's does."""

import json
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.build import plan_system
from jeos.core.errors import InputError
from jeos.model import recipe_texts
from jeos.model.recipe import Recipe, Update
from jeos.model.schedule import Windows
from jeos.update import settings
from jeos.update.settings import Settings

NOW = datetime(2027, 1, 10, 12).timestamp()
RECIPE = Recipe(
    name="a", version="1", update=Update("https://updates.example/a", "root.json", snapshot=("/var/lib/a",))
)


def read(folder: Path, overrides: str | None = None, *, recipe: Recipe = RECIPE) -> Settings | None:
    (folder / "appliance.json").write_text(plan_system.appliance(recipe))
    if overrides is not None:
        (folder / "update.toml").write_text(overrides)
    places = {"appliance": str(folder / "appliance.json"), "overrides": str(folder / "update.toml")}
    return settings.read(**places, now=lambda: NOW)


def test_recipe_is_read_as_the_build_writes_it(tmp_path: Path) -> None:
    assert read(tmp_path) == Settings(channel="https://updates.example/a", snapshot=("/var/lib/a",))
    assert read(tmp_path, recipe=Recipe(name="a", version="1")) is None


def test_operator_goes_before_the_recipe(tmp_path: Path) -> None:
    wanted = read(
        tmp_path,
        """
        channel = "file:///srv/channel"
        ring = "beta"
        check = "1h"
        window = "Sun 02:00-05:00"
        restart = false
        hold = "5m"
        bandwidth = "500K"
        snapshot = []
        pin = "1.4.*"
        pause = 2027-01-15
        proxy = "http://proxy.example:3128"
        """,
    )
    assert wanted is not None
    assert wanted.windows.spans == Windows.parse("Sun 02:00-05:00").spans
    assert wanted == Settings(
        channel="file:///srv/channel",
        ring="beta",
        check=3600,
        windows=wanted.windows,
        restart=False,
        hold=300,
        bandwidth=500 << 10,
        pin="1.4.*",
        pause="by the operator until 2027-01-15",
        proxy="http://proxy.example:3128",
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "by the operator"),
        (False, ""),
        (date(2027, 1, 11), "by the operator until 2027-01-11"),
        (date(2027, 1, 10), ""),
        (datetime(2027, 1, 10, 12, 30), "by the operator until 2027-01-10 12:30:00"),
        (datetime(2027, 1, 10, 11, 30), ""),
    ],
)
def test_pause_ends_when_it_says(value: object, words: str) -> None:
    assert settings.parse({"channel": "file:///a", "pause": value}, now=NOW).pause == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ring = ", "Invalid value"),
        ("rings = 1", "there is no key rings"),
        ("pin = 1.4", "pin = '1.4': must be a version"),
        ('pause = "until tomorrow"', "must be true, false or a date, without quotes"),
        ('channel = "ftp://a"', "must be an address"),
        ('check = "often"', "is not a period"),
        ("snapshot = ['var']", "must be a list of folders below /var or /etc"),
        ('window = "02:00-02:00"', "a window begins and ends at the same time"),
    ],
)
def test_wrong_file_of_the_operator_pauses_updates_and_says_why(tmp_path: Path, text: str, words: str) -> None:
    found = read(tmp_path, text)
    assert found is not None
    assert found.pause.startswith(f"because {tmp_path}/update.toml is wrong: ")
    assert words in found.pause
    assert (found.channel, found.hold) == ("https://updates.example/a", 60)


@given(st.dictionaries(st.sampled_from(list(settings.READERS)), st.none() | st.integers() | st.text(max_size=9)))
def test_any_table_is_settings_or_refused(said: dict[str, object]) -> None:
    try:
        found = settings.parse(json.loads(json.dumps(said)), now=NOW)
    except InputError as error:
        assert error.message
    else:
        assert found.channel == said["channel"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/var",
        "/var/",
        "/etc",
        "/var/../..",
        "/var/lib",
        "/var/lib/jeos",
        "/var/lib/jeos/update",
        "/usr/lib",
        "/home",
    ],
)
def test_folders_that_cannot_be_copied_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="snapshot"):
        settings.parse({"channel": "https://updates.example", "snapshot": [path]}, now=0)


def test_recipe_and_machine_agree_on_folders() -> None:
    assert recipe_texts.DATA.pattern == settings.DATA


def test_folders_of_data_are_taken() -> None:
    found = settings.parse({"channel": "https://updates.example", "snapshot": ["/var/lib/app", "/etc/app"]}, now=0)
    assert found.snapshot == ("/var/lib/app", "/etc/app")


@pytest.mark.parametrize(
    ("text", "paused"),
    [("9999-12-31", True), ("0001-01-01", False), ("9999-12-31T23:59:59Z", True), ("0001-01-01T00:00:00", False)],
)
def test_pause_until_any_date(text: str, paused: bool, tmp_path: Path) -> None:
    (tmp_path / "appliance.json").write_text('{"update": {"channel": "https://updates.example"}}')
    (tmp_path / "update.toml").write_text(f"pause = {text}\n")
    found = settings.read(
        appliance=str(tmp_path / "appliance.json"), overrides=str(tmp_path / "update.toml"), now=lambda: 1.8e9
    )
    assert found is not None
    assert found.pause.startswith("by the operator") is paused
    assert bool(found.pause) is paused

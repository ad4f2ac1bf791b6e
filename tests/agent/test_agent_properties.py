import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.agent import properties
from jeos.agent.properties import PREFIX, Rule, settle, take

SAID: list[dict[str, object]] = [
    {"name": "site-title", "type": "string", "default": 'My "site" for $5'},
    {"name": "admin-mail", "type": "string", "required": True, "pattern": "[^@]+@[^@]+"},
    {"name": "workers", "type": "integer", "minimum": 1, "maximum": 9, "default": "2"},
    {"name": "size", "type": "choice", "choices": ["small", "large"], "default": "small"},
    {"name": "debug", "type": "boolean"},
    {"name": "db-password", "type": "string", "secret": True, "pattern": ".{8,}"},
]


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    return folder


def give(folder: Path, **values: str) -> None:
    for name, value in values.items():
        (folder / f"{PREFIX}{name.replace('_', '-')}").write_text(value)


def take_all(credentials: Path, tmp_path: Path) -> tuple[list[str], Path]:
    run = tmp_path / "run"
    return take(SAID, credentials=str(credentials), folder=str(run)), run


def test_values_and_defaults_go_to_the_environment_file(credentials: Path, tmp_path: Path) -> None:
    give(credentials, admin_mail="me@example.org\n", workers="4")
    (credentials / "other.credential").write_text("not ours")
    faults, run = take_all(credentials, tmp_path)
    assert faults == []
    assert (run / "properties.env").read_text() == (
        'SITE_TITLE="My \\"site\\" for \\$5"\nADMIN_MAIL="me@example.org"\nWORKERS="4"\nSIZE="small"\n'
    )
    assert stat.S_IMODE((run / "properties.env").stat().st_mode) == 0o640


def test_secrets_go_to_files_of_their_own_only(credentials: Path, tmp_path: Path) -> None:
    give(credentials, admin_mail="me@example.org", db_password="correct horse")
    faults, run = take_all(credentials, tmp_path)
    assert faults == []
    secret = run / "secrets" / "db-password"
    assert secret.read_text() == "correct horse"
    assert (stat.S_IMODE(secret.stat().st_mode), stat.S_IMODE(secret.parent.stat().st_mode)) == (0o600, 0o700)
    assert "horse" not in (run / "properties.env").read_text()


def test_what_is_wrong_is_said_and_nothing_is_written(credentials: Path, tmp_path: Path) -> None:
    give(credentials, workers="many", size="huge", debug="maybe", db_password="short")
    faults, run = take_all(credentials, tmp_path)
    assert faults == [
        "the property admin-mail is required and not set",
        "the property workers: 'many' must be a whole number",
        "the property size: 'huge' must be one of small, large",
        "the property debug: 'maybe' must be true or false",
        "the property db-password: the secret value does not match the pattern .{8,}",
    ]
    assert (run / "properties.failed").read_text().splitlines() == faults
    assert not (run / "properties.env").exists()


def test_what_was_wrong_is_forgotten_when_it_is_right(credentials: Path, tmp_path: Path) -> None:
    take_all(credentials, tmp_path)
    give(credentials, admin_mail="me@example.org")
    faults, run = take_all(credentials, tmp_path)
    assert faults == []
    assert not (run / "properties.failed").exists()


def test_a_property_that_is_not_text_is_a_fault(credentials: Path, tmp_path: Path) -> None:
    (credentials / f"{PREFIX}admin-mail").write_bytes(b"\xff\xfe")
    faults, _ = take_all(credentials, tmp_path)
    assert faults == ["a property is not text in UTF-8: invalid start byte"]


def test_a_property_that_the_appliance_dropped_does_no_harm(credentials: Path, tmp_path: Path) -> None:
    give(credentials, admin_mail="me@example.org", old="value")
    assert take_all(credentials, tmp_path)[0] == []


def test_without_any_credentials_the_defaults_hold() -> None:
    rules = [Rule(said) for said in SAID if not said.get("required")]
    values, faults = settle(rules, properties.read_credentials("/nonexistent"))
    assert (values, faults) == ({"site-title": 'My "site" for $5', "workers": "2", "size": "small"}, [])


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_a_shell_reads_back_what_was_written(value: str) -> None:
    line = properties.environment_line("site-title", value)
    said = subprocess.run(["sh", "-c", f'{line}printf %s "$SITE_TITLE"'], capture_output=True, check=True).stdout
    assert said == value.encode()

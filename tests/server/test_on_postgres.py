"""Tests of the server once more, on PostgreSQL: those of what databases do each in their way; all in `make soak`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import postgres_server
from soak import SOAK

HERE = Path(__file__).parent
# Searching, paging, merging, at once, jobs; the forum for all that is plain.
CHOSEN = (
    "content/test_search_conformance.py",
    "content/test_paging.py",
    "content/test_merge.py",
    "events/test_events_at_once.py",
    "ideas/test_voting.py",
    "importing/test_responses.py",
    "practices/test_proving.py",
    "forum",
    "jobs",
    "test_page_cache.py",
    "test_rows.py",
    "test_statements.py",
)
# Walks through a site: writing, reacting, reading on. A community is made for them first.
WALKS = (
    "test_in_a_browser.py::test_member_writes_reacts_keeps_and_follows[with scripts]",
    "test_in_a_browser.py::test_reading_to_the_end_of_a_thread_makes_it_read",
)


def pass_on_postgres(names: Sequence[str], marked: str) -> None:
    """See that tests pass on a PostgreSQL server of their own; in `make soak` all that are marked so."""
    with postgres_server.running() as address:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=short",
            "--show-capture=no",
            *([str(HERE)] if SOAK else [str(HERE / name) for name in names]),
        ]
        done = subprocess.run(
            [*command, "-m", marked],
            cwd=HERE.parents[1],
            env={**os.environ, "JEOS_TEST_DATABASE_URL": address},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-12_000:]
    assert " passed" in done.stdout


@pytest.mark.postgres
@pytest.mark.timeout(2400)  # seconds
def test_server_passes_its_tests_on_postgres() -> None:
    pass_on_postgres(CHOSEN, "not postgres and not browser")


@pytest.mark.postgres
@pytest.mark.browser
@pytest.mark.timeout(3600)  # seconds
def test_server_is_walked_on_postgres() -> None:
    pass_on_postgres(WALKS, "browser and not postgres")

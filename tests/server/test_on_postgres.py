"""Tests of the server once more, on PostgreSQL: those of what databases do each in their way; all in `make soak`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import postgres_server

HERE = Path(__file__).parent
SOAK = bool(os.environ.get("JEOS_SOAK"))  # set by `make soak`
# Searching, paging, counting, at once, jobs, files of rows; the forum for all that is plain.
CHOSEN = (
    "content/test_search_conformance.py",
    "content/test_paging.py",
    "content/test_merge.py",
    "events/test_events_at_once.py",
    "ideas/test_voting.py",
    "practices/test_proving.py",
    "wiki",
    "forum",
    "jobs",
    "archive",
    "test_page_cache.py",
)


@pytest.mark.postgres
@pytest.mark.timeout(2400)  # seconds
def test_server_passes_its_tests_on_postgres() -> None:
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
            *([str(HERE)] if SOAK else [str(HERE / name) for name in CHOSEN]),
        ]
        done = subprocess.run(
            [*command, "-m", "not postgres and not browser"],
            cwd=HERE.parents[1],
            env={**os.environ, "JEOS_TEST_DATABASE_URL": address},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-12_000:]
    assert " passed" in done.stdout

"""All tests of the server once more, on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import postgres_server

HERE = Path(__file__).parent


@pytest.mark.postgres
@pytest.mark.timeout(2400)  # seconds: all of them in one test
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
            str(HERE),
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

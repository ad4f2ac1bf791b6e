"""A site moves from SQLite to PostgreSQL and back, by the commands that an operator types."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import postgres_server

FILL = "from jeos.server import start; start.prepare(); from jeos.server import demo; demo.fill()"


def run(data: Path, database: str, *command: str) -> str:
    """Run Python with a site's settings and return what it said."""
    env = {**os.environ, "JEOS_SERVER_DATA": str(data), "DATABASE_URL": database}
    for name in ("JEOS_SERVER_URL", "DJANGO_SETTINGS_MODULE"):
        env.pop(name, None)
    done = subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.postgres
def test_site_moves_from_sqlite_to_postgres_and_back_without_a_changed_byte(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{name}.tar" for name in ("first", "second", "third"))
    jeos = ("-m", "jeos", "server")
    run(tmp_path / "old", "", "-c", FILL)
    run(tmp_path / "old", "", *jeos, "export", str(first))
    with postgres_server.running() as database:
        said = run(tmp_path / "new", database, *jeos, "import", str(first))
        assert "rows of" in said
        run(tmp_path / "new", database, *jeos, "export", str(second))
    run(tmp_path / "back", "", *jeos, "import", str(second))
    run(tmp_path / "back", "", *jeos, "export", str(third))
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()

"""Starting: what each process makes of the data folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PREPARE = "from jeos.server import start; start.prepare({})"


@pytest.mark.parametrize(("words", "collected"), [("serves=True", True), ("", False)], ids=["serving", "working"])
def test_static_files_are_written_by_who_serves_them_alone(
    tmp_path: Path, empty_database: Path, words: str, collected: bool
) -> None:
    shutil.copy(empty_database, tmp_path / "exchange.sqlite3")
    env = {**os.environ, "JEOS_SERVER_DATA": str(tmp_path), "DATABASE_URL": ""}
    subprocess.run([sys.executable, "-c", PREPARE.format(words)], env=env, check=True)
    assert (tmp_path / "static" / "staticfiles.json").exists() is collected
    assert (tmp_path / "locale" / "de").exists()

"""TUF's own conformance suite against our client, as appliances run it: no `cryptography`, the shipped files only.

The suite is on no package index: JEOS_TUF_CONFORMANCE names a checkout of theupdateframework/tuf-conformance.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lean_python import install

SUITE = os.environ.get("JEOS_TUF_CONFORMANCE", "")
COMMAND = Path(__file__).parent.parent / "tuf_command.py"
LEAST = 113  # tests in the suite of August 2026: fewer would mean that some were not found

needs_suite = pytest.mark.skipif(
    not (Path(SUITE) / "tuf_conformance/conftest.py").is_file() or not SUITE,
    reason="JEOS_TUF_CONFORMANCE names no checkout of theupdateframework/tuf-conformance",
)


@needs_suite
@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
@pytest.mark.timeout(1800)
def test_tuf_conformance_suite_passes(tmp_path: Path) -> None:
    install(tmp_path / "python")
    command = [sys.executable, "-IS", str(COMMAND), str(tmp_path / "python")]
    suite = Path(SUITE).absolute()
    argv = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, f"--rootdir={suite}", "-p", "no:cacheprovider"]
    argv += [str(suite / "tuf_conformance"), "--entrypoint", " ".join(command)]
    done = subprocess.run(
        argv, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(suite)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"^(\d+) passed(.*) in ", done.stdout, flags=re.MULTILINE)
    assert passed and int(passed[1]) >= LEAST and not passed[2], done.stdout[-500:]

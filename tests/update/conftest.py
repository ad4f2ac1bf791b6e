"""A folder of its own for each test of updates, in memory where there is such a place.

What updates write is flushed to disk again and again; on a busy disk, the tests would do little but wait for it.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that is gone after the test."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="jeos-test-", dir=MEMORY)
    except OSError:
        folder = tempfile.TemporaryDirectory(prefix="jeos-test-")
    with folder as path:
        yield Path(path)

"""What only `make soak` runs: tests that take minutes more, and go over ground that a shorter one has seen."""

import os

import pytest

SOAK = bool(os.environ.get("JEOS_SOAK"))  # set by `make soak`
LONG = pytest.mark.skipif(not SOAK, reason="takes minutes; `make soak` runs it")

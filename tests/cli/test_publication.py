"""What `jeos publish --to` makes of a changelog."""

import pytest

from jeos.cli.publication import section

TEXT = """# Changes

## [1.10] - 2026-05-01

- ten

### Fixed

- a fault

## v1.1

- one

## 1.1~rc1 and 1.0
the rest
"""


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("1.10", "- ten\n\n### Fixed\n\n- a fault"),
        ("1.1", "- one"),
        ("1.1~rc1", "the rest"),
        ("1.0", "the rest"),
        ("1", ""),
        ("2.0", ""),
        ("0", ""),
    ],
)
def test_section_is_that_of_the_version(version: str, wanted: str) -> None:
    assert section(TEXT, version) == wanted

"""Debian's releases by name and number, as package URLs and advisories write them."""

NUMBERS = {"bookworm": "12", "trixie": "13", "forky": "14"}


def distribution(release: str) -> str:
    """Return what a bill of materials calls a release: "debian-13" for trixie, or for 13."""
    return f"debian-{NUMBERS.get(release, release)}"

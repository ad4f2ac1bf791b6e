"""How a site looks besides the program's own style: files in `theme/` of the data folder, served as static files.

theme/site.css     a style sheet after the site's own
theme/logo.svg     (or .png, .webp) instead of the mark beside the name
theme/icon.svg     (or .png) in browsers' tabs
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = "theme"
SHEET = "site.css"
PICTURES = ("svg", "png", "webp")


@dataclass(frozen=True)
class Theme:
    """Names of static files; empty for what there is none of."""

    sheet: str = ""
    logo: str = ""
    icon: str = ""


def read(data: Path) -> Theme:
    """Return what the theme of a data folder has."""
    folder = data / FOLDER
    return Theme(
        sheet=f"{FOLDER}/{SHEET}" if (folder / SHEET).is_file() else "",
        logo=_picture(folder, "logo"),
        icon=_picture(folder, "icon"),
    )


def folders(data: Path) -> list[tuple[str, Path]]:
    """Return the folder, if there is one, as Django wants to know of static files."""
    return [(FOLDER, data / FOLDER)] if (data / FOLDER).is_dir() else []


def _picture(folder: Path, name: str) -> str:
    found = (f"{name}.{ending}" for ending in PICTURES if (folder / f"{name}.{ending}").is_file())
    return next((f"{FOLDER}/{file}" for file in found), "")

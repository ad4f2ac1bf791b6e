"""What `jeos publish --to` sends to a catalogue: made from the build, its recipe, and how the channel lists it."""

import argparse
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

from jeos.build import load
from jeos.build.outputs import Outputs
from jeos.channel import announce
from jeos.channel.catalogue import Listed
from jeos.core import settings
from jeos.core.errors import InputError, UsageError
from jeos.model.publication import Download, Publication
from jeos.model.recipe import Catalogue, Recipe

LONGEST_TOKEN = 1 << 12  # bytes of a token's file
LONGEST_TEXT = 1 << 20  # bytes of a README or changelog that are read
_HEADING = re.compile(r"(#{1,3})\s+(.*)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where to publish to, and as whom."""
    parser.add_argument(
        "--to",
        metavar="URL",
        help="tell this catalogue (an exchange of jeos) of the version, as https://exchange.example",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="with --to: the file with a personal token that may write (without it: JEOS_TOKEN)",
    )
    parser.add_argument("--publisher", default="", metavar="NAME", help="with --to: for which of your publishers")
    parser.add_argument(
        "--download",
        action="append",
        default=[],
        metavar="FORMAT=URL",
        help="with --to: where the image can be had in a format of `jeos export`; size and digest are those of the "
        "file of this name in build/, if there is one. May be given more than once",
    )


def token(args: argparse.Namespace) -> str:
    """Return the token. Raises UsageError if there is none."""
    found = settings.token()
    if args.token_file is not None:
        try:
            with args.token_file.open("rb") as file:
                found = file.read(LONGEST_TOKEN).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"there is no token in {args.token_file}: {error}", hint="the file holds it alone"
            ) from None
    if not found or not found.isprintable():
        raise UsageError(
            "there is no token for the catalogue",
            hint="make one on the site (Settings, Tokens: it may write), and set JEOS_TOKEN or use --token-file",
        )
    return found


def check(args: argparse.Namespace) -> None:
    """Look at the arguments before anything is published. Raises UsageError."""
    if args.to is None:
        for name in ("token_file", "publisher", "download"):
            if getattr(args, name):
                raise UsageError(f"--{name.replace('_', '-')} goes with --to", hint="name the catalogue with --to")
        return
    announce.check_site(args.to)
    token(args)
    for said in args.download:
        _split(said)


def send(args: argparse.Namespace, found: Outputs, listed: Listed | None, *, root: bytes) -> announce.Told:
    """Tell the catalogue of a build. `listed` is how the channel lists it, if it has one, `root` its first root."""
    folder = args.path if args.path.is_dir() else args.path.parent
    one = make(found, folder=folder, listed=listed, root=root, notes=args.notes)
    downloads = tuple(_download(said, folder=found.folder) for said in args.download)
    one = replace(one, publisher=args.publisher, downloads=downloads)
    return announce.send(one, site=args.to, token=token(args))


def make(found: Outputs, *, folder: Path, listed: Listed | None, root: bytes, notes: str) -> Publication:
    """Return what is said of a build; of its recipe, if that is beside it and still the same version's."""
    image = found.image
    recipe, where = _recipe(found, folder)
    shown = recipe.catalogue if recipe else Catalogue()
    release = listed.release if listed else None
    return Publication(
        name=image.name,
        version=image.version,
        architecture=image.architecture,
        date=release.date if release else int(found.disk.stat().st_mtime),
        title=shown.title,
        vendor=image.vendor,
        summary=recipe.summary if recipe else "",
        description=_text(where / shown.readme) if shown.readme else "",
        licence=shown.licence,
        home_page=shown.homepage,
        tags=shown.tags,
        changes=notes or (section(_text(where / shown.changes), image.version) if shown.changes else ""),
        channel=recipe.update.channel if recipe and recipe.update and listed else "",
        root=root.decode("utf-8", "replace") if listed else "",
        ring=listed.terms.ring if listed else "stable",
        root_hash=image.root_hash,
        kernel_sha256=release.kernel.sha256 if release else _digest(found.kernel),
        disk_size=image.disk_size,
        system_size=image.system_size,
        kernel_size=image.kernel_size,
        download_size=_whole(listed),
        memory=image.memory,
        cpus=image.cpus,
        ports=image.ports,
        properties=image.properties,
        sbom=json.loads(found.sbom.read_text()) if found.sbom.exists() else None,
    )


def _whole(listed: Listed | None) -> int:
    """Return the bytes that a machine without a patch fetches at most."""
    if listed is None:
        return 0
    release = listed.release
    return release.kernel.length + release.index.length + sum(pack.length for pack in release.packs)


def _recipe(found: Outputs, folder: Path) -> tuple[Recipe | None, Path]:
    """Return the recipe of a build and its folder, if it is there and is of this version."""
    for place in (folder, found.folder.parent):
        if (place / "appliance.toml").is_file():
            recipe = load.load(place, sources=False)
            if (recipe.name, recipe.version) == (found.image.name, found.image.version):
                return recipe, place
    return None, folder


def _text(path: Path) -> str:
    """Return the text of a file of the recipe. Raises InputError."""
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_TEXT).decode().replace("\r\n", "\n").strip()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="[catalogue] of the recipe names it"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8", hint="save the file as UTF-8") from None


def section(text: str, version: str) -> str:
    """Return the part of a changelog under the heading that has the version as a word, or "" if none has.

    >>> section("# Changes\\n## 1.1 (May)\\n- new\\n## 1.0\\n- first", "1.1")
    '- new'
    """
    lines = text.splitlines()
    word = re.compile(rf"(?<![\w.~^+-])v?{re.escape(version)}(?![\w~^+-]|\.\w)")
    for start, line in enumerate(lines):
        heading = _HEADING.fullmatch(line)
        if heading and word.search(heading[2]):
            level = len(heading[1])
            rest = lines[start + 1 :]
            end = next(
                (at for at, one in enumerate(rest) if (next_ := _HEADING.fullmatch(one)) and len(next_[1]) <= level),
                len(rest),
            )
            return "\n".join(rest[:end]).strip()
    return ""


def _split(said: str) -> tuple[str, str]:
    """Return format and address of a download. Raises UsageError."""
    kind, equals, url = said.partition("=")
    if not equals:
        raise UsageError(f"--download {said} names no format", hint="as in --download qcow2=https://…/hello_1.0.qcow2")
    try:
        Download(kind, url)
    except InputError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return kind, url


def _download(said: str, *, folder: Path) -> Download:
    """Return a download, with size and digest if its file is in the build's folder."""
    kind, url = _split(said)
    path = folder / url.partition("?")[0].rpartition("/")[2]
    if not path.is_file():
        return Download(kind, url)
    return Download(kind, url, size=path.stat().st_size, sha256=_digest(path))


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

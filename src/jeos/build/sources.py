"""Which addresses the repositories have on this machine: a lock only names them.

Debian's mirror is the recipe's, else `JEOS_MIRROR`, else the one that the machine's own apt uses. The suite of the
recipe need not be the machine's: a mirror carries them all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from jeos.core import settings
from jeos.core.errors import HostError, InputError
from jeos.model import deb822
from jeos.model.recipe import Recipe

APT_FOLDER = Path("/etc/apt")
KEYRING_FOLDERS = (Path("/usr/share/keyrings"), Path("/etc/apt/trusted.gpg.d"))
KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")  # the newer name first

DEBIAN = "debian"
SECURITY = "debian-security"
SUITES_WITHOUT_UPDATES = ("sid", "unstable", "experimental")  # they are updated themselves
SCHEMES = ("http", "https", "file")

# Suites that say that an apt source is Debian's and not another distribution's.
CODENAMES = ("stretch", "buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid")
DEBIAN_SUITES = frozenset({*CODENAMES, "stable", "oldstable", "oldoldstable", "testing", "unstable"})


@dataclass(frozen=True, slots=True)
class Source:
    """One repository: its name in the lock, its address here, and how apt reads it.

    `url` has no slash at its end; `keys` are the OpenPGP keyrings that its InRelease files are checked with.
    """

    name: str
    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keys: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class AptSource:
    """One line, or one stanza, of the machine's apt sources."""

    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def repositories(recipe: Recipe, *, folder: Path, apt_folder: Path = APT_FOLDER) -> tuple[Source, ...]:
    """Return the repositories of a recipe: "debian", "debian-security" where the suite has it, and the recipe's own.

    `folder` is the recipe's. Raises HostError if no mirror or no keyring is to be found, InputError for an address
    or key in the recipe that cannot be used.
    """
    known = machine_sources(apt_folder)
    mirror = recipe.mirror or settings.mirror() or _best(known, security=False)
    if not mirror:
        raise HostError(
            "no Debian mirror is known",
            hint='set `mirror = "https://mirror.example/debian"` in the recipe, or JEOS_MIRROR in the environment; '
            f"{apt_folder} names none",
        )
    keys = (folder / recipe.keyring,) if recipe.keyring else host_keyrings()
    mirror = _checked(mirror)
    suites = (recipe.suite,) if recipe.suite in SUITES_WITHOUT_UPDATES else (recipe.suite, f"{recipe.suite}-updates")
    found = [Source(name=DEBIAN, url=mirror, suites=suites, components=recipe.components, keys=keys)]
    if recipe.suite not in SUITES_WITHOUT_UPDATES:
        security = recipe.security_mirror or settings.security_mirror() or _best(known, security=True)
        found.append(
            Source(
                name=SECURITY,
                url=_checked(security or security_sibling(mirror)),
                suites=(f"{recipe.suite}-security",),
                components=recipe.components,
                keys=keys,
            )
        )
    found += [
        Source(
            name=extra.name,
            url=_checked(extra.url),
            suites=(extra.suite,),
            components=extra.components,
            keys=(folder / extra.key,),
        )
        for extra in recipe.repositories
    ]
    for source in found:
        _check_keys(source)
    names = [source.name for source in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two repositories have the name {name!r}", hint="give the recipe's own another name")
    return tuple(found)


def host_mirror(apt_folder: Path = APT_FOLDER) -> str:
    """Return the Debian mirror that the machine's own apt uses, or ""."""
    return _best(machine_sources(apt_folder), security=False)


def host_keyrings() -> tuple[Path, ...]:
    """Return the machine's keyring of Debian's archive keys; raises HostError if there is none."""
    for folder in KEYRING_FOLDERS:
        for name in KEYRINGS:
            if (folder / name).is_file():
                return (folder / name,)
    raise HostError(
        "Debian's archive keys are not on this machine",
        hint="sudo apt-get install debian-archive-keyring, or set `keyring` in the recipe",
    )


def security_sibling(mirror: str) -> str:
    """Return where the security updates beside a mirror are: `…/debian-security` for `…/debian`.

    A part `debian` in the middle is replaced too, as snapshots have it: `…/debian/20260101T000000Z`.
    """
    parts = urlsplit(mirror)
    names = parts.path.split("/")
    if DEBIAN in names:
        last = len(names) - 1 - names[::-1].index(DEBIAN)
        names[last] = SECURITY
    else:
        names[-1] += "-security"
    return urlunsplit(parts._replace(path="/".join(names)))


def machine_sources(apt_folder: Path) -> list[AptSource]:
    """Return the machine's apt sources for binary packages, in apt's order: one-line and deb822 files."""
    folder = apt_folder / "sources.list.d"
    parts = sorted(folder.iterdir()) if folder.is_dir() else []
    found: list[AptSource] = []
    for path in [apt_folder / "sources.list", *parts]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        found += _deb822(text) if path.suffix == ".sources" else _one_line(text)
    return found


def _deb822(text: str) -> Iterator[AptSource]:
    for stanza in deb822.parse(text):
        if "deb" not in stanza.get("types", "").split() or stanza.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for url in stanza.get("uris", "").split():
            yield AptSource(
                url=url.rstrip("/"),
                suites=tuple(stanza.get("suites", "").split()),
                components=tuple(stanza.get("components", "").split()),
                signed_by=stanza.get("signed-by", ""),
            )


_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<url>[^\s\[]\S*)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)*)"
)


def _one_line(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line.partition("#")[0].strip())
        if match:
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            yield AptSource(
                url=match["url"].rstrip("/"),
                suites=(match["suite"],),
                components=tuple(match["components"].split()),
                signed_by=options.get("signed-by", ""),
            )


def _best(known: list[AptSource], *, security: bool) -> str:
    """Return the address that is most surely Debian's own archive (or its security archive), or ""."""
    candidates = [source for source in known if _carries(source, security=security) and _likeness(source)]
    return max(candidates, key=_likeness).url if candidates else ""


def _carries(source: AptSource, *, security: bool) -> bool:
    """Tell whether a source is a Debian archive as far as its suites and components say."""
    if urlsplit(source.url).scheme not in SCHEMES or "main" not in source.components:
        return False
    for suite in source.suites:
        name, _, pocket = suite.replace("/", "-").partition("-")
        secure = pocket == "security" or (pocket == "updates" and "/" in suite)  # bullseye and before had SUITE/updates
        if name in DEBIAN_SUITES and (secure if security else pocket in ("", "updates") and not secure):
            return True
    return False


def _likeness(source: AptSource) -> int:
    """Count what speaks for a source being Debian's own and not a vendor's that uses Debian's suite names."""
    names = PurePosixPath(urlsplit(source.url).path).parts
    signs = (
        "debian-archive" in source.signed_by,
        DEBIAN in names or SECURITY in names,
        any(suite.endswith("-updates") for suite in source.suites),
    )
    return sum(signs)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "file") or re.search(r"[\s\"'\[\]]", url):
        raise InputError(
            f"{url!r} is not the address of a repository",
            hint="write it as https://mirror.example/debian, or file:///srv/mirror/debian",
        )
    return url.rstrip("/")


def _check_keys(source: Source) -> None:
    for key in source.keys:
        if not key.is_file():
            raise InputError(
                f"the key {key} of the repository {source.name!r} is not there",
                hint="the path is relative to the recipe's folder; export the key with `gpg --export --armor`",
            )

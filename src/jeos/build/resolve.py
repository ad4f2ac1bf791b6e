"""What goes into an appliance: apt decides once, and the lock keeps it.

The base is resolved by itself, from Debian's repositories alone, so that it is the same for every recipe of a suite
and its configured layer can be shared. The recipe's packages come on top of it, as if the base were installed.
Kernel, boot loader and what the initrd runs are taken alone: they are unpacked, never configured, so that what they
depend on (an initramfs generator, above all) is not wanted.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jeos.build.apt import ARCHITECTURE, AptRoot, Download
from jeos.build.sources import DEBIAN, SECURITY, Source, repositories
from jeos.core import log
from jeos.core.errors import InputError, TrustError
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.recipe import Recipe

DEBIAN_ONLY = (DEBIAN, SECURITY)

# Every appliance has these, with what they depend on. apt is essential only to itself: an image is never changed by
# it. The agent needs Python with json and urllib, which python3-minimal alone lacks on bookworm. resize2fs (e2fsprogs)
# grows the data partition, and login lets somebody in at the console.
BASE = (
    "?and(?essential, ?not(?exact-name(apt)))",
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "login",
    "e2fsprogs",
    "python3-minimal",
    "libpython3-stdlib",
)
# bookworm's init-system-helpers asks for `usrmerge | usr-is-merged`: the first one brings all of perl.
BASE_EXCLUDED = ("usrmerge",)
KERNELS = {"cloud": f"linux-image-cloud-{ARCHITECTURE}", "generic": f"linux-image-{ARCHITECTURE}"}
BOOT = ("systemd-boot-efi",)
INITRD = ("luajit", "libluajit-5.1-2", "libluajit-5.1-common")
# What proves who answers where the channel is on https, and the file that it makes of it.
CERTIFICATES = "ca-certificates"
CERTIFICATES_MADE_BY = frozenset((CERTIFICATES, "openssl"))
CERTIFICATES_FILE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that was chosen: where apt would get it, and what the lists say about it."""

    download: Download
    stanza: Mapping[str, str]


def inputs(recipe: Recipe, *, folder: Path) -> str:
    """Return the digest of all that the recipe (in `folder`) says about packages.

    Mirrors are left out: the same packages come from each of them. Raises InputError if a .deb file is not there.
    """
    said = {
        "base": BASE,
        "boot": BOOT,
        "initrd": INITRD,
        "suite": recipe.suite,
        "components": recipe.components,
        "packages": sorted(wanted_packages(recipe)),
        "exclude": sorted(recipe.exclude),
        "debs": [hashlib.sha256(path.read_bytes()).hexdigest() for path in local_packages(recipe, folder=folder)],
        "repositories": [{**asdict(extra), "key": ""} for extra in recipe.repositories],
        "kernel": recipe.kernel.flavour,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def resolve(recipe: Recipe, *, folder: Path, cache: Path, keep: Lock | None = None) -> Lock:
    """Return the lock of a recipe that lies in `folder`; apt's lists are kept under `cache`.

    With `keep`, the versions of that lock are chosen again as far as the repositories still have them. Raises
    HostError, NetworkError, TrustError and InputError, each saying which repository or package it is about.
    """
    digest = inputs(recipe, folder=folder)
    sources = repositories(recipe, folder=folder)
    with AptRoot(sources, cache=cache).opened() as apt:
        apt.update()
        resolver = _Resolver(apt, recipe=recipe, folder=folder)
        resolver.check_names()
        try:
            packages = resolver.packages(keep)
        except InputError as error:
            if keep is None:
                raise
            packages = resolver.packages(None)
            log.warn(f"the locked versions cannot all be kept, so all is resolved anew: {error.message}")
        return Lock(
            suite=recipe.suite,
            architecture=ARCHITECTURE,
            inputs=digest,
            date=apt.date(),
            packages=tuple(sorted(packages)),
        )


class _Resolver:
    """The steps from a recipe to its packages, in one private root."""

    def __init__(self, apt: AptRoot, *, recipe: Recipe, folder: Path) -> None:
        self.apt = apt
        self.recipe = recipe
        self.folder = folder

    def check_names(self) -> None:
        """Raise InputError for names that no repository knows; without this, apt would take some as patterns."""
        known = self.apt.names()
        for key, names in (("packages", self.recipe.packages), ("exclude", self.recipe.exclude)):
            for name in names:
                # What a package only provides is known too, but excluding it would do nothing.
                if name not in known and (key == "exclude" or name not in self.apt.names(virtual=True)):
                    raise _unknown(name, key=key, known=known, suite=self.recipe.suite)
        for name in self.recipe.exclude:
            if name in self.recipe.packages:
                raise InputError(f"{name} is in `packages` and in `exclude`", hint="take it out of one of them")

    def packages(self, keep: Lock | None) -> list[LockedPackage]:
        """Return the packages of all roles."""
        pins = {package.name: package.version for package in keep.packages} if keep else {}
        self.apt.prefer(pins, exclude=BASE_EXCLUDED)
        base = self._candidates(self.apt.install(BASE, only=DEBIAN_ONLY, exclude=BASE_EXCLUDED), only=DEBIAN_ONLY)
        self._check_exclude(base)
        alone = self._alone([self._kernel(keep), *BOOT, *INITRD])
        self.apt.prefer(pins, exclude=self.recipe.exclude)
        app = self._application(base)
        present = {candidate.stanza["package"] for candidate in (*base, *app)}
        kernel = [one for one in alone if one.stanza["package"] not in (*BOOT, *INITRD)]
        boot = [one for one in alone if one.stanza["package"] in BOOT]
        initrd = [one for one in alone if one.stanza["package"] in INITRD and one.stanza["package"] not in present]
        roles = {Role.BASE: base, Role.KERNEL: kernel, Role.BOOT: boot, Role.APP: app, Role.INITRD: initrd}
        return [self._locked(one, role=role) for role, candidates in roles.items() for one in candidates]

    def _application(self, base: Sequence[Candidate]) -> list[Candidate]:
        """Return what the recipe asks for, as far as the base does not have it."""
        local = [str(path.resolve()) for path in local_packages(self.recipe, folder=self.folder)]
        wanted = [*wanted_packages(self.recipe), *local]
        if not wanted:
            return []
        installed = [candidate.stanza for candidate in base]
        downloads = self.apt.install(wanted, installed=installed, exclude=self.recipe.exclude)
        return self._candidates([one for one in downloads if not one.uri.startswith("file:")])

    def _kernel(self, keep: Lock | None) -> str:
        """Return the kernel (`NAME=VERSION`) that is locked, or else the one that the flavour's meta package needs."""
        flavour = self.recipe.kernel.flavour
        for package in keep.having(Role.KERNEL) if keep else ():
            kept = f"{package.name}={package.version}"
            if ("-cloud-" in package.name) == (flavour == "cloud") and self.apt.show([kept], only=DEBIAN_ONLY):
                return kept
        meta = self.apt.show([KERNELS[flavour]], only=DEBIAN_ONLY)
        needed = re.search(r"(linux-image-\S+) \(= ([^)]+)\)", meta[0].get("depends", "")) if meta else None
        if not needed:
            raise InputError(
                f"the suite {self.recipe.suite} has no kernel of the flavour {flavour!r} ({KERNELS[flavour]})",
                hint="set another `flavour` under `[kernel]`, or another suite",
            )
        return f"{needed[1]}={needed[2]}"

    def _alone(self, names: Sequence[str]) -> list[Candidate]:
        """Return packages without what they depend on."""
        found = self.apt.download(names, only=DEBIAN_ONLY)
        if not found:
            raise InputError(
                f"the suite {self.recipe.suite} lacks what every appliance needs: {', '.join(names)}",
                hint="check `suite`, and that the mirror has the whole of the component main",
            )
        return self._candidates(found, only=DEBIAN_ONLY)

    def _candidates(self, downloads: Sequence[Download], *, only: Sequence[str] = ()) -> list[Candidate]:
        """Return downloads with their stanzas: of several with the same version, the one from the same place."""
        stanzas = self.apt.show([f"{one.name}={one.version}" for one in downloads], only=only)
        by_name: dict[tuple[str, str], list[dict[str, str]]] = {}
        for stanza in stanzas:
            by_name.setdefault((stanza.get("package", ""), stanza.get("version", "")), []).append(stanza)
        found = []
        for one in downloads:
            fitting = [
                stanza
                for stanza in by_name.get((one.name, one.version), [])
                if unquote(one.uri).endswith("/" + stanza.get("filename", ""))
            ]
            if not fitting:
                raise TrustError(f"the lists do not tell about {one.name} {one.version}", hint="use another mirror")
            found.append(Candidate(download=one, stanza=fitting[0]))
        return found

    def _locked(self, candidate: Candidate, *, role: Role) -> LockedPackage:
        """Return a candidate as the lock has it."""
        stanza = candidate.stanza
        if not re.fullmatch(r"[0-9a-f]{64}", stanza.get("sha256", "")):
            raise TrustError(
                f"the lists have no SHA-256 of {stanza['package']}", hint="the repository must publish SHA256 fields"
            )
        source, _, version = stanza.get("source", stanza["package"]).partition(" (")
        return LockedPackage(
            name=stanza["package"],
            version=stanza["version"],
            architecture=stanza["architecture"],
            role=role,
            repository=_repository(candidate, sources=self.apt.sources),
            path=stanza["filename"].removeprefix("./"),
            size=int(stanza["size"]),
            sha256=stanza["sha256"],
            source=f"{source} {version.rstrip(')') or stanza['version']}",
        )

    def _check_exclude(self, base: Sequence[Candidate]) -> None:
        """Raise InputError if the recipe excludes what every appliance needs."""
        for candidate in base:
            name = candidate.stanza["package"]
            if name in self.recipe.exclude:
                raise InputError(
                    f"{name} cannot be left out: it is part of the base of every appliance",
                    hint=f"take {name} out of `exclude`; `slim` removes files of the base that nothing needs",
                )


def wanted_packages(recipe: Recipe) -> tuple[str, ...]:
    """Return the packages of the recipe, with certificates for a channel on https unless the recipe brings its own."""
    encrypted = recipe.update is not None and recipe.update.channel.startswith("https:")
    brought = any(file.target == CERTIFICATES_FILE for file in recipe.files)
    if not encrypted or brought or CERTIFICATES in (*recipe.packages, *recipe.exclude):
        return recipe.packages
    return (*recipe.packages, CERTIFICATES)


def local_packages(recipe: Recipe, *, folder: Path) -> list[Path]:
    """Return the paths of the recipe's own .deb files; raises InputError if one is not there."""
    paths = [folder / name for name in recipe.debs]
    for path in paths:
        if not path.is_file():
            raise InputError(f"the package file {path} is not there", hint="paths in `debs` are relative to the recipe")
    return paths


def _repository(candidate: Candidate, *, sources: Sequence[Source]) -> str:
    """Return the name of the repository that apt would download a candidate from."""
    address = _plain(candidate.download.uri).removesuffix("/" + candidate.stanza["filename"])
    for source in sources:
        if _plain(source.url) == address:
            return source.name
    raise TrustError(f"{candidate.download.uri} is in none of the repositories", hint="report this as a bug")


def _plain(url: str) -> str:
    """Return an address without what apt writes in its own way: escapes, passwords, and `copy:` for `file:`."""
    parts = urlsplit(re.sub(r"^copy:", "file:", unquote(url)))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _unknown(name: str, *, key: str, known: Iterable[str], suite: str) -> InputError:
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "it may be in another component, suite or repository"
    return InputError(f"{name} in `{key}` is no package of the suite {suite}", hint=hint)

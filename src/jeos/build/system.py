"""From a configured root to the system of the image: what is added, what slim takes out, where /var goes.

system = finish(root, recipe=recipe, lock=lock, python_modules=…)
system.tree, system.contents            # what the EROFS is written from
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jeos.build import dpkg_status, factory, sbom, sizes
from jeos.build.contents import Contents
from jeos.build.libraries import linked_in
from jeos.build.owners import owners
from jeos.build.patterns import matcher
from jeos.build.plan_system import HIDDEN_LIBRARIES, OS_RELEASE
from jeos.build.resolve import CERTIFICATES, CERTIFICATES_MADE_BY
from jeos.build.scan import scan
from jeos.build.slim import Slimmed, broken_libraries, slim
from jeos.build.slim_rules import RULES, Facts
from jeos.core.errors import InputError
from jeos.model import deb822
from jeos.model.lock import Lock, Role
from jeos.model.recipe import Recipe
from jeos.model.report import PackageSize, RuleGain
from jeos.model.tree import Entry, Kind, Tree

SBOM = "usr/lib/jeos/sbom.cdx.json"
INTERPRETER = re.compile(rb"#!\s*(?:/usr)?/(?:local/)?bin/(?:env\s+(?:-S\s+)?)?([a-zA-Z]+)")
UNIT = re.compile(r"(?:etc|usr/lib|usr/local/lib)/systemd/system/.*\.(?:conf|mount|scope|service|slice|socket|swap)")
# What systemd has libbpf for; systemd.resource-control(5), systemd.exec(5).
BPF_SETTING = re.compile(rb"^(?:RestrictFileSystems|RestrictNetworkInterfaces|SocketBind(?:Allow|Deny))=", re.MULTILINE)
BPF_LIBRARY = "libbpf.so.1"
LOGIN_MODULE = re.compile(rb"\bpam_\w+\.so\b")  # in the files of /etc/pam.d; pam.d(5)
C_LIBRARY = "libc6"  # everything depends on it, which tells nothing about each of its libraries
HEAD = 128  # bytes that hold a script's first line


@dataclass(frozen=True)
class System:
    """The system of an image: its tree, the bytes behind it, its bill of materials, and what takes the space."""

    tree: Tree
    contents: Contents
    sbom: bytes
    packages: tuple[PackageSize, ...]
    rules: tuple[RuleGain, ...]


def finish(
    root: Path,
    *,
    recipe: Recipe,
    lock: Lock,
    python_modules: tuple[str, ...],
    extras: Iterable[sbom.ExtraComponent] = (),
    more_stanzas: Mapping[str, str] | None = None,
    skipped: Mapping[str, int] | None = None,
) -> System:
    """Turn a configured root into the system of an image; the root itself is only read.

    `python_modules` are the parts of the standard library that the agent needs, `more_stanzas` dpkg's entries for
    packages that were only unpacked, and `skipped` what was not even unpacked (bytes by path). Raises InputError if
    slimming would break a program.
    """
    scanned = scan(root, time=lock.date)
    contents = Contents(paths=scanned.paths)
    records = dpkg_status.read(scanned.tree, contents)
    stanzas = {**records.stanzas, **(more_stanzas or {})}
    owner = {**owners(records.lists), **kernel_owner(scanned.tree, lock)}
    bill = sbom.make(recipe, lock, stanzas=stanzas, extras=extras)
    hidden = hidden_libraries(scanned.tree, contents)
    kept = {**dpkg_status.status_files(stanzas, records.sums), SBOM: bill, **hidden}
    tree = _with_files(scanned.tree, contents, files=kept, time=lock.date)
    relied = relied_on(recipe, lock, stanzas=stanzas)
    facts = gather(tree, contents, lock=lock, recipe=recipe, owner=owner, relied=relied, python_modules=python_modules)
    slimmed = slim(tree, facts, wanted=recipe.slim)
    check_libraries(tree, slimmed, linked=facts.linked)
    final = place_var(slimmed.tree, contents, time=lock.date)
    versions = {package.name: package.version for package in lock.packages}
    taken = sizes.by_owner(final, owner)
    packages = tuple(PackageSize(name, versions.get(name, ""), *taken[name]) for name in sorted(taken))
    return System(
        tree=final, contents=contents, sbom=bill, packages=packages, rules=gains(slimmed, skipped=skipped or {})
    )


def kernel_owner(tree: Tree, lock: Lock) -> dict[str, str]:
    """Return the package of each kernel module: dpkg does not know them, since the kernel is only unpacked."""
    names = [package.name for package in lock.having(Role.KERNEL)]
    return {entry.path: names[0] for entry in tree if names and entry.path.startswith("usr/lib/modules/")}


def _with_files(tree: Tree, contents: Contents, *, files: Mapping[str, bytes], time: int) -> Tree:
    """Return the tree with files added, and the folders that they are in."""
    present = tree.by_path()
    added = [contents.file(path, data, time=time) for path, data in files.items()]
    folders = [
        Entry(path=path, kind=Kind.DIRECTORY, mtime=time)
        for path in sorted({entry.parent for entry in added})
        if path not in present
    ]
    return Tree.of([*tree, *folders, *added])


def os_release(system: System) -> bytes:
    """Return the content of the system's os-release(5). Raises InputError if it has none."""
    entry = system.tree.by_path().get(OS_RELEASE)
    if entry is None or entry.kind is not Kind.FILE:
        raise InputError(
            f"the image has no file /{OS_RELEASE}, and without it nothing boots", hint="a command took it away"
        )
    return system.contents.read(entry)


def gather(
    tree: Tree,
    contents: Contents,
    *,
    lock: Lock,
    recipe: Recipe,
    owner: Mapping[str, str],
    relied: frozenset[str],
    python_modules: tuple[str, ...],
) -> Facts:
    """Find out what slim's rules ask about an appliance."""
    interpreters = {}
    logins: set[str] = set()
    for entry in tree:
        if entry.kind is Kind.FILE and entry.mode & 0o111 and not entry.hardlink and entry.size > 2:
            found = INTERPRETER.match(contents.head(entry, size=HEAD))
            if found:
                interpreters[entry.path] = found.group(1).decode()
        if entry.kind is Kind.FILE and entry.path.startswith(("etc/pam.d/", "usr/lib/pam.d/")):
            logins |= {name.decode() for name in LOGIN_MODULE.findall(contents.read(entry))}
    return Facts(
        asked=frozenset(package.name for package in lock.having(Role.APP)) - (CERTIFICATES_MADE_BY - relied),
        interpreters=interpreters,
        owner=owner,
        python_modules=python_modules,
        custom_code=bool(recipe.wheels),
        relied=relied,
        logins=frozenset(logins),
        linked=linked_in(contents),
    )


def relied_on(recipe: Recipe, lock: Lock, *, stanzas: Mapping[str, str]) -> frozenset[str]:
    """Return the packages that the recipe names, or that one which it brought in depends on.

    Not what certificates for updates depend on: their file is made, and what made it (in Perl) is not needed any more.
    """
    found = {name.partition("=")[0] for name in recipe.packages}
    for package in lock.having(Role.APP):
        if package.name == CERTIFICATES and CERTIFICATES not in found:
            continue
        groups = dpkg_status.dependencies(deb822.fields(stanzas.get(package.name, "")))
        found |= {name for group in groups for name in group} - {C_LIBRARY}
    return frozenset(found)


def hidden_libraries(tree: Tree, contents: Contents) -> dict[str, bytes]:
    """Return the empty files, by path, that keep systemd from loading what no unit of the tree has a use for.

    systemd looks into this folder first (the initrd tells it to), finds no library there, and does as if there were
    none. With libbpf it reads all types of the kernel at each start, which takes most of a second where the processor
    is emulated, for limits that Debian's own units do not set.
    """
    units = [entry for entry in tree if entry.kind is Kind.FILE and UNIT.fullmatch(entry.path)]
    used = any(BPF_SETTING.search(contents.read(entry)) for entry in units)
    return {} if used else {f"{HIDDEN_LIBRARIES}/{BPF_LIBRARY}": b""}


def check_libraries(before: Tree, slimmed: Slimmed, *, linked: Callable[[Entry], Iterable[str]]) -> None:
    """Raise InputError, naming programs and libraries, if slimming took a library that something left needs.

    `linked` returns the names of the libraries that a file is linked to.
    """
    broken = broken_libraries(before, slimmed.tree, needed=linked)
    if not broken:
        return
    rule_of = {entry.name: name for name, entries in slimmed.removed.items() for entry in entries}
    lines = [f"{name}, needed by {programs[0]}, taken by the rule {rule_of[name]}" for name, programs in broken.items()]
    raise InputError(
        "slim took libraries that programs in the image need:\n  " + "\n  ".join(lines),
        hint='add them to keep, as in [slim] keep = ["usr/lib/*/LIBRARY*"], or the rule to skip',
    )


def place_var(tree: Tree, contents: Contents, *, time: int) -> Tree:
    """Return the tree with /var in the factory and a folder for everything that is mounted at boot."""
    lists = [
        contents.read(entry).decode(errors="replace")
        for entry in tree
        if entry.path.startswith("usr/lib/tmpfiles.d/") and entry.kind is Kind.FILE
    ]
    moved, text = factory.move_var(tree, known=factory.listed_paths(lists))
    listed = contents.file(factory.TMPFILES, text.encode(errors="surrogateescape"), time=time)
    return factory.add_mount_points(Tree.of([*moved, listed]), time=time)


def gains(slimmed: Slimmed, *, skipped: Mapping[str, int]) -> tuple[RuleGain, ...]:
    """Return what each rule took out, the largest first; what was not unpacked at all is counted too."""
    why = {rule.name: rule.why for rule in RULES}
    early = {
        rule.name: [size for path, size in skipped.items() if takes(path)]
        for rule, takes in ((rule, matcher(rule.patterns)) for rule in RULES if rule.early)
    }
    found = [
        RuleGain(
            name=name,
            why=why.get(name, "the recipe says so"),
            size=sum(entry.size for entry in entries if not entry.hardlink) + sum(early.get(name, ())),
            files=sum(entry.kind is Kind.FILE for entry in entries) + len(early.get(name, ())),
        )
        for name, entries in slimmed.removed.items()
    ]
    return tuple(sorted(found, key=lambda gain: (-gain.size, gain.name)))

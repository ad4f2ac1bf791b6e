"""Leave out of a tree what an appliance does without; say what went by which rule, and prove that nothing broke.

slimmed = slim(tree, facts, rules=RULES, keep=("usr/share/doc/nginx",))
slimmed.removed["manuals"]        # the entries that this rule took
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from jeos.build.libraries import idle, looks_linked
from jeos.build.patterns import matcher
from jeos.build.slim_rules import RULES, Facts, Rule
from jeos.core.errors import InputError
from jeos.model.recipe import Slim
from jeos.model.tree import Entry, Kind, Tree

RECIPE_RULE = "recipe"  # the name that the recipe's own `remove` patterns are reported under


@dataclass(frozen=True, slots=True)
class Slimmed:
    """What is left of a tree, and what each rule took (rules that took nothing included)."""

    tree: Tree
    removed: Mapping[str, tuple[Entry, ...]]

    @property
    def gains(self) -> dict[str, int]:
        """Return the bytes that each rule saved."""
        return {name: sum(entry.size for entry in entries) for name, entries in self.removed.items()}


def slim(tree: Tree, facts: Facts, *, wanted: Slim, rules: Iterable[Rule] = RULES) -> Slimmed:
    """Apply the rules, in order, to a tree; a path is counted by the first rule that takes it.

    Raises InputError for a name in `wanted.skip` that is no rule's.
    """
    rules = tuple(rules)
    _check_names(wanted.skip, rules)
    if not wanted.enabled:
        return Slimmed(tree=tree, removed={})
    chosen = [rule for rule in rules if rule.name not in wanted.skip and not rule.unless(facts)]
    if wanted.remove:
        chosen.append(Rule(name=RECIPE_RULE, why="the recipe says so", patterns=wanted.remove))
    kept_always = matcher(wanted.keep)
    left = list(tree)
    removed: dict[str, tuple[Entry, ...]] = {}
    for rule in chosen:
        left, gone = _apply(rule, left, facts, keep=kept_always)
        removed[rule.name] = gone
    return Slimmed(tree=Tree(tuple(rehome_hardlinks(left, tree))), removed=removed)


def _check_names(names: Iterable[str], rules: Iterable[Rule]) -> None:
    known = {rule.name for rule in rules}
    unknown = sorted(set(names) - known)
    if unknown:
        raise InputError(f"slim has no rule {', '.join(unknown)}", hint=f"its rules are {', '.join(sorted(known))}")


def _apply(
    rule: Rule, entries: list[Entry], facts: Facts, *, keep: Callable[[str], bool]
) -> tuple[list[Entry], tuple[Entry, ...]]:
    takes = matcher((*rule.patterns, *(rule.more(facts) if rule.more else ())))
    spares = matcher((*rule.spare, *(rule.exceptions(facts) if rule.exceptions else ())))
    gone = {entry.path for entry in entries if takes(entry.path) and not spares(entry.path) and not keep(entry.path)}
    gone.discard("")
    if rule.idle:
        wanted = {path for path in gone if facts.owner.get(path, "") in facts.relied}
        gone = idle(entries, gone - wanted, linked=facts.linked)
    for entry in entries:  # a directory stays as long as something in it does
        if entry.path not in gone:
            parent = entry.parent
            while parent in gone:
                gone.remove(parent)
                parent = parent.rpartition("/")[0]
    left = [entry for entry in entries if entry.path not in gone]
    return left, tuple(entry for entry in entries if entry.path in gone)


def rehome_hardlinks(left: Iterable[Entry], before: Tree) -> list[Entry]:
    """Give files whose first name is gone another first name among those that are left."""
    entries = list(left)
    present = {entry.path for entry in entries}
    first = before.by_path()
    homes: dict[str, str] = {}
    result = []
    for entry in entries:
        if entry.hardlink and entry.hardlink not in present:
            home = homes.setdefault(entry.hardlink, entry.path)
            original = first[entry.hardlink]
            entry = replace(original, path=entry.path, hardlink="" if home == entry.path else home)
        result.append(entry)
    return result


def broken_libraries(
    before: Tree, after: Tree, *, needed: Callable[[Entry], Iterable[str]]
) -> dict[str, tuple[str, ...]]:
    """Return, for each shared library that slimming took, the programs left that need it.

    `needed` returns the names that a file's dynamic section asks for; it is called for files that remain and look
    like programs or libraries. A library that was never there is not slimming's fault, and not reported.
    """
    left = {entry.path for entry in after}
    names_left = {entry.name for entry in after}
    gone = {
        entry.name
        for entry in before
        if ".so" in entry.name and entry.path not in left and entry.kind in (Kind.FILE, Kind.SYMLINK)
    } - names_left
    if not gone:
        return {}
    broken: dict[str, list[str]] = {}
    for entry in after:
        if looks_linked(entry):
            for name in gone.intersection(needed(entry)):
                broken.setdefault(name, []).append(entry.path)
    return {name: tuple(paths) for name, paths in sorted(broken.items())}

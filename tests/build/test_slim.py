"""Slimming: what rules take and spare, hard links, and the check of what is left."""

import pytest

from jeos.build import slim
from jeos.build.slim_rules import RULES, Facts, Rule
from jeos.core.errors import InputError
from jeos.model.recipe import Slim
from jeos.model.tree import Entry, Kind, Tree, order


def file(path: str, *, size: int = 1, hardlink: str = "", mode: int = 0o644) -> Entry:
    return Entry(path=path, kind=Kind.FILE, mode=mode, size=size, digest=path, hardlink=hardlink)


def folder(path: str) -> Entry:
    return Entry(path=path, kind=Kind.DIRECTORY)


def paths(tree: Tree) -> list[str]:
    return [entry.path for entry in tree]


BASE = Tree.of(
    [
        folder("usr"),
        folder("usr/share"),
        folder("usr/share/doc"),
        folder("usr/share/doc/nginx"),
        file("usr/share/doc/nginx/README", size=100),
        file("usr/share/doc/nginx/copyright", size=10),
        folder("usr/share/doc/zlib"),
        file("usr/share/doc/zlib/changelog", size=1000),
        folder("usr/share/man"),
        file("usr/share/man/page.1", size=5),
    ]
)


def test_slim_takes_what_rules_name_and_counts_it() -> None:
    result = slim.slim(BASE, Facts(), wanted=Slim())
    left = ["usr", "usr/share", "usr/share/doc", "usr/share/doc/nginx", "usr/share/doc/nginx/copyright"]
    assert paths(result.tree) == ["", *left]
    gains = {name: gain for name, gain in result.gains.items() if gain}
    assert gains == {"documentation": 1100, "manuals": 5}


def test_slim_off_changes_nothing() -> None:
    result = slim.slim(BASE, Facts(), wanted=Slim(enabled=False))
    assert (result.tree, result.removed) == (BASE, {})


def test_slim_keeps_what_the_recipe_keeps() -> None:
    result = slim.slim(BASE, Facts(), wanted=Slim(keep=("usr/share/doc/zlib",)))
    assert "usr/share/doc/zlib/changelog" in paths(result.tree)
    assert "usr/share/doc/nginx/README" not in paths(result.tree)


def test_slim_skips_a_rule_by_name() -> None:
    result = slim.slim(BASE, Facts(), wanted=Slim(skip=("manuals",)))
    assert "usr/share/man/page.1" in paths(result.tree)


def test_slim_with_an_unknown_rule_names_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        slim.slim(BASE, Facts(), wanted=Slim(skip=("docs",)))
    assert caught.value.message == "slim has no rule docs"
    assert "documentation" in caught.value.hint


def test_slim_removes_what_the_recipe_removes() -> None:
    result = slim.slim(BASE, Facts(), wanted=Slim(skip=tuple(rule.name for rule in RULES), remove=("/usr/share/man",)))
    assert result.gains == {"recipe": 5}


def test_perl_stays_when_something_asked_for_runs_on_it() -> None:
    tree = Tree.of([file("usr/bin/perl"), file("usr/bin/tool"), file("usr/sbin/adduser")])
    scripts = {"usr/bin/tool": "perl", "usr/sbin/adduser": "perl"}
    owner = {"usr/bin/tool": "tool", "usr/sbin/adduser": "adduser"}
    asked = Facts(asked=frozenset({"tool"}), interpreters=scripts, owner=owner)
    alone = Facts(interpreters={"usr/sbin/adduser": "perl"}, owner=owner)
    assert paths(slim.slim(tree, asked, wanted=Slim()).tree) == ["", "usr/bin/perl", "usr/bin/tool", "usr/sbin/adduser"]
    assert paths(slim.slim(tree, alone, wanted=Slim()).tree) == ["", "usr/bin/tool"]


def test_python_keeps_what_the_agent_imports() -> None:
    tree = Tree.of([file("usr/lib/python3.13/json/decoder.py"), file("usr/lib/python3.13/tkinter/ttk.py")])
    facts = Facts(python_modules=("json",))
    assert paths(slim.slim(tree, facts, wanted=Slim()).tree) == ["", "usr/lib/python3.13/json/decoder.py"]
    wanting = Facts(asked=frozenset({"python3"}), python_modules=("json",))
    assert slim.slim(tree, wanting, wanted=Slim()).tree == tree


def test_hardlink_whose_first_name_is_gone_becomes_the_first() -> None:
    tree = Tree.of([file("a", size=7), file("b", size=7, hardlink="a"), file("c", size=7, hardlink="a")])
    rule = Rule(name="one", why="test", patterns=("a",))
    left = slim.slim(tree, Facts(), wanted=Slim(), rules=[rule]).tree.by_path()
    assert (left["b"].hardlink, left["b"].digest, left["c"].hardlink) == ("", "a", "b")
    assert sorted(left.values(), key=order)[0].path == ""


def test_broken_libraries_names_the_program_that_lost_its_library() -> None:
    before = Tree.of([file("usr/lib/libx.so.1"), file("usr/bin/tool", mode=0o755), file("usr/lib/liby.so.1")])
    after = Tree.of([file("usr/bin/tool", mode=0o755), file("usr/lib/liby.so.1")])
    needs = {"usr/bin/tool": ("libx.so.1", "libnever.so.1"), "usr/lib/liby.so.1": ()}
    assert slim.broken_libraries(before, after, needed=lambda entry: needs[entry.path]) == {
        "libx.so.1": ("usr/bin/tool",)
    }
    assert slim.broken_libraries(before, before, needed=lambda entry: needs[entry.path]) == {}


LIBRARIES = Tree.of(
    [
        file("usr/bin/tool", mode=0o755),
        file("usr/bin/python3", mode=0o755),
        file("usr/lib/x/libsqlite3.so.0.8.6"),
        Entry(path="usr/lib/x/libsqlite3.so.0", kind=Kind.SYMLINK, target="libsqlite3.so.0.8.6"),
        file("usr/lib/x/libreadline.so.8"),
        file("usr/lib/x/libhistory.so.8"),
        file("usr/lib/x/libc.so.6"),
    ]
)


@pytest.mark.parametrize(
    ("links", "left"),
    [
        ({}, set()),
        ({"usr/bin/tool": ("libsqlite3.so.0",)}, {"libsqlite3.so.0", "libsqlite3.so.0.8.6"}),
        (
            {"usr/bin/tool": ("libreadline.so.8",), "usr/lib/x/libreadline.so.8": ("libhistory.so.8",)},
            {"libreadline.so.8", "libhistory.so.8"},
        ),
        ({"usr/lib/x/libreadline.so.8": ("libhistory.so.8",)}, set()),
    ],
)
def test_libraries_go_if_nothing_left_is_linked_to_them(links: dict[str, tuple[str, ...]], left: set[str]) -> None:
    facts = Facts(linked=lambda entry: links.get(entry.path, ()))
    found = paths(slim.slim(LIBRARIES, facts, wanted=Slim()).tree)
    assert {path.rpartition("/")[2] for path in found if "/lib/" in path} == left | {"libc.so.6"}


def test_libraries_stay_if_their_package_was_asked_for() -> None:
    facts = Facts(owner={"usr/lib/x/libhistory.so.8": "libreadline8t64"}, relied=frozenset({"libreadline8t64"}))
    found = paths(slim.slim(LIBRARIES, facts, wanted=Slim()).tree)
    assert {path for path in found if "/lib/" in path} == {"usr/lib/x/libc.so.6", "usr/lib/x/libhistory.so.8"}


def test_ldconfig_stays_where_python_may_look_for_libraries() -> None:
    tree = Tree.of([file("usr/sbin/ldconfig", mode=0o755)])
    assert paths(slim.slim(tree, Facts(), wanted=Slim()).tree) == [""]
    assert slim.slim(tree, Facts(asked=frozenset({"python3"})), wanted=Slim()).tree == tree
    assert slim.slim(tree, Facts(custom_code=True), wanted=Slim()).tree == tree


def test_modules_of_the_login_system_stay_while_they_are_used() -> None:
    tree = Tree.of([file("usr/lib/x/security/pam_userdb.so")])
    assert paths(slim.slim(tree, Facts(), wanted=Slim()).tree) == [""]
    assert slim.slim(tree, Facts(logins=frozenset({"pam_userdb.so"})), wanted=Slim()).tree == tree


def test_the_rule_that_goes_by_what_others_leave_is_the_last() -> None:
    assert [rule.idle for rule in RULES].index(True) == len(RULES) - 1


def test_every_rule_has_a_reason_and_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.why and rule.patterns for rule in RULES)

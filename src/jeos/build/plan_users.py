"""The commands that make a recipe's users, and the files that let them in.

Passwords are locked. SSH keys lie below /etc/ssh, where they are part of the image and where root owns them; homes are
below /var/home, on the data partition, because the rest of the system is read-only.
"""

from collections.abc import Iterator, Sequence

from jeos.build.items import Accounts, Item, text
from jeos.model.recipe import Recipe, User

HOMES = "/var/home"
KEYS = "etc/ssh/authorized_keys.d"
SSH_CONFIGURATION = f"""\
# Written by jeos: the image's own keys, beside those that users add at home.
AuthorizedKeysFile .ssh/authorized_keys /{KEYS}/%u
"""
LOCKED = "*"  # no password fits, and yet the account counts as open: keys work


def commands(users: Sequence[User], *, accounts: Accounts) -> list[list[str]]:
    """Return the programs to run in the root, one after the other, so that it has these users.

    Users that packages have made already only get what the recipe says of them.
    """
    return list(_commands(users, accounts=accounts))


def _commands(users: Sequence[User], *, accounts: Accounts) -> Iterator[list[str]]:
    made = set(accounts.groups)
    for user in users:
        for group in user.groups:
            if group not in made and group not in {other.name for other in users}:
                yield ["groupadd", "--system", group]
            made.add(group)
    if any(not user.home and not user.system and user.name not in accounts.users for user in users):
        yield ["mkdir", "-p", HOMES]
    for user in users:
        if user.name in accounts.users:
            yield from _changes(user)
            continue
        if user.name not in accounts.groups:
            yield ["groupadd", *_system(user), *_number("--gid", user.uid), user.name]
        yield _useradd(user)
    for user in users:
        if user.groups:
            yield ["usermod", "--append", "--groups", ",".join(user.groups), user.name]


def _useradd(user: User) -> list[str]:
    """Return the command that makes one user, without the groups, some of which may come later."""
    home = user.home or ("/nonexistent" if user.system else f"{HOMES}/{user.name}")
    shell = user.shell or ("/usr/sbin/nologin" if user.system else "/bin/sh")
    return [
        "useradd",
        *_system(user),
        *_number("--uid", user.uid),
        *("--gid", user.name),
        *("--home-dir", home),
        "--no-create-home" if user.system else "--create-home",
        *("--shell", shell),
        *("--password", LOCKED),
        "--no-log-init",
        user.name,
    ]


def _changes(user: User) -> Iterator[list[str]]:
    """Yield the command that gives a user of a package what the recipe says of it, if it says anything."""
    changes = [
        *_number("--uid", user.uid),
        *(("--home", user.home) if user.home else ()),
        *(("--shell", user.shell) if user.shell else ()),
    ]
    if changes:
        yield ["usermod", *changes, user.name]


def _system(user: User) -> list[str]:
    return ["--system"] if user.system else []


def _number(option: str, value: int | None) -> list[str]:
    return [] if value is None else [option, str(value)]


def keys(recipe: Recipe) -> list[Item]:
    """Return the files that hold the users' SSH keys, and the setting that makes the server read them."""
    items = [
        text(f"{KEYS}/{user.name}", "".join(f"{key}\n" for key in user.ssh_keys))
        for user in recipe.users
        if user.ssh_keys
    ]
    return [text("etc/ssh/sshd_config.d/10-jeos.conf", SSH_CONFIGURATION), *items] if items else []

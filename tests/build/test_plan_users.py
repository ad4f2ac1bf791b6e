from jeos.build.items import Accounts, text
from jeos.build.plan_users import SSH_CONFIGURATION, commands, keys
from jeos.model.recipe import Recipe, User

ACCOUNTS = Accounts(users={"root": 0, "www-data": 33}, groups={"root": 0, "adm": 4, "www-data": 33})


def test_commands_make_groups_before_users_and_join_them_last() -> None:
    users = (
        User(name="app", uid=1500, groups=("adm", "own", "late")),
        User(name="late", system=True, home="/var/lib/late", shell="/bin/sh"),
    )
    assert [" ".join(command) for command in commands(users, accounts=ACCOUNTS)] == [
        "groupadd --system own",
        "mkdir -p /var/home",
        "groupadd --gid 1500 app",
        "useradd --uid 1500 --gid app --home-dir /var/home/app --create-home --shell /bin/sh"
        " --password * --no-log-init app",
        "groupadd --system late",
        "useradd --system --gid late --home-dir /var/lib/late --no-create-home --shell /bin/sh"
        " --password * --no-log-init late",
        "usermod --append --groups adm,own,late app",
    ]


def test_commands_for_users_of_packages_only_change_what_is_said() -> None:
    users = (User(name="www-data", shell="/bin/sh", groups=("adm",)), User(name="root"))
    assert commands(users, accounts=ACCOUNTS) == [
        ["usermod", "--shell", "/bin/sh", "www-data"],
        ["usermod", "--append", "--groups", "adm", "www-data"],
    ]


def test_keys_lie_where_root_owns_them() -> None:
    users = (User(name="ada", ssh_keys=("ssh-ed25519 A", "ssh-ed25519 B")), User(name="bob"))
    assert keys(Recipe(name="a", version="1", users=users)) == [
        text("etc/ssh/sshd_config.d/10-jeos.conf", SSH_CONFIGURATION),
        text("etc/ssh/authorized_keys.d/ada", "ssh-ed25519 A\nssh-ed25519 B\n"),
    ]
    assert keys(Recipe(name="a", version="1")) == []

import json
from pathlib import Path

from jeos.agent.appliance import Appliance
from jeos.build import plan_system
from jeos.build.items import Item, link, text
from jeos.core.run import run
from jeos.model.recipe import (
    FileRule,
    Health,
    Kernel,
    PortRule,
    Property,
    Recipe,
    Systemd,
    Unit,
    Update,
)

SMALL = Recipe(name="hello", version="1.0")
OS_RELEASE = 'NAME="Debian GNU/Linux"\nIMAGE_ID=old\nID=debian\n'


def test_plan_of_a_small_recipe_has_these_files_and_no_others() -> None:
    paths = [item.path for item in plan_system.plan(SMALL, folder=Path("/r"), os_release=OS_RELEASE)]
    assert paths == [
        "etc/hostname",
        "etc/hosts",
        "etc/fstab",
        "usr/lib/os-release",
        "usr/lib/systemd/network/80-jeos.network",
        "usr/lib/systemd/journald.conf.d/jeos.conf",
        "usr/lib/systemd/logind.conf.d/jeos.conf",
        "usr/lib/systemd/system/systemd-logind.service.d/jeos.conf",
        "usr/lib/systemd/system.conf.d/jeos.conf",
        "usr/lib/systemd/system/systemd-networkd.service.d/jeos.conf",
        "usr/lib/systemd/system/systemd-udev-trigger.service.d/jeos.conf",
        "usr/lib/tmpfiles.d/jeos-serial.conf",
        "usr/lib/systemd/system/systemd-tmpfiles-setup.service.d/jeos.conf",
        "etc/udev/udev.conf",
        "usr/lib/udev/rules.d/59-jeos-slots.rules",
        "usr/lib/udev/rules.d/99-t-jeos-slots.rules",
        "etc/tmpfiles.d/systemd-nologin.conf",
        "etc/systemd/system/tmp.mount",
        "etc/systemd/system/local-fs.target.wants/tmp.mount",
        "usr/lib/systemd/system/jeos-host-key.service",
        "usr/lib/systemd/system/ssh.service.wants/jeos-host-key.service",
        "usr/lib/systemd/system/ssh.socket.wants/jeos-host-key.service",
        "etc/systemd/system-generators/systemd-veritysetup-generator",
        *(f"etc/systemd/system/{name}" for name in sorted(plan_system.MASKED)),
        "usr/lib/jeos/appliance.json",
    ]


def test_settings_of_the_recipe_become_files() -> None:
    recipe = Recipe(
        name="a", version="1", sysctl=(("net.a", "1"), ("vm.b", "x y")), kernel=Kernel(modules=("nf_tables", "tun"))
    )
    plain = list(plan_system.settings(Recipe(name="a", version="1")))
    assert [item for item in plan_system.settings(recipe) if item not in plain] == [
        text("usr/lib/sysctl.d/90-appliance.conf", "net.a = 1\nvm.b = x y\n"),
        text("usr/lib/modules-load.d/appliance.conf", "nf_tables\ntun\n"),
    ]


def test_serial_lines_are_announced_where_a_login_waits_for_one() -> None:
    recipe = Recipe(name="a", version="1", systemd=Systemd(enable=("serial-getty@ttyS0.service",)))
    path = "usr/lib/systemd/system/systemd-udev-trigger.service.d/jeos.conf"
    commands = [
        [item.content.decode().count("ExecStart=-udevadm") for item in plan_system.settings(one) if item.path == path]
        for one in (SMALL, recipe)
    ]
    assert commands == [[1], [2]]


def test_people_are_kept_out_while_it_starts_where_the_recipe_enables_that() -> None:
    recipe = Recipe(name="a", version="1", systemd=Systemd(enable=("systemd-user-sessions.service",)))
    assert "etc/tmpfiles.d/systemd-nologin.conf" not in {item.path for item in plan_system.settings(recipe)}


def test_units_eula_and_enabled_units_find_their_place() -> None:
    recipe = Recipe(
        name="a",
        version="1",
        eula="docs/EULA.txt",
        systemd=Systemd(enable=("getty@tty1.service",), disable=("nginx.service",), mask=("x.timer",)),
        units=(Unit(name="own.service", content="[Install]\n"), Unit(name="man-db.timer", content="#\n", enable=False)),
    )
    items = plan_system.plan(recipe, folder=Path("/r"), os_release="")
    expected = {
        text("usr/lib/systemd/system/own.service", "[Install]\n"),
        text("usr/lib/systemd/system/man-db.timer", "#\n"),
        link("etc/systemd/system/x.timer", "/dev/null"),
        Item("usr/share/jeos/EULA", source=Path("/r/docs/EULA.txt")),
    }
    assert expected <= set(items)
    assert not {"etc/systemd/system/getty@tty1.service", "etc/systemd/system/man-db.timer"} & {i.path for i in items}
    systemctl = ["systemctl", "--root=/", "--no-reload"]
    assert plan_system.unit_commands(recipe) == [
        [*systemctl, "enable", "--", "systemd-networkd.service", "getty@tty1.service", "own.service"],
        [*systemctl, "disable", "--", *plan_system.DISABLED, "nginx.service"],
    ]


def test_masks_spare_the_template_of_an_enabled_instance() -> None:
    recipe = Recipe(name="a", version="1", systemd=Systemd(enable=("serial-getty@ttyS1.service",)))
    spared = set(plan_system.masks(SMALL)) - set(plan_system.masks(recipe))
    assert spared == {link("etc/systemd/system/serial-getty@.service", "/dev/null")}


def test_wait_online_stays_enabled_if_the_recipe_wants_it() -> None:
    recipe = Recipe(name="a", version="1", systemd=Systemd(enable=("systemd-networkd-wait-online.service",)))
    assert "systemd-networkd-wait-online.service" not in plan_system.unit_commands(recipe)[1]


def test_release_replaces_and_quotes() -> None:
    recipe = Recipe(name="a", version="1~rc1", vendor='A "B" $C `d` \\e')
    said = plan_system.release(recipe, os_release=OS_RELEASE)
    assert said.splitlines()[:3] == ['NAME="Debian GNU/Linux"', "ID=debian", 'IMAGE_ID="a"']
    shown = 'printf "%s\\n" "$NAME" "$ID" "$IMAGE_ID" "$IMAGE_VERSION" "$VENDOR_NAME"'
    assert run(["sh", "-c", f"{said}\n{shown}"]).text.splitlines() == [
        "Debian GNU/Linux",
        "debian",
        "a",
        "1~rc1",
        'A "B" $C `d` \\e',
    ]


def test_agent_reads_what_the_build_writes() -> None:
    recipe = Recipe(
        name="a",
        version="1",
        vendor="V",
        ports=(PortRule(guest=80, name="web"),),
        health=(Health(name="page", http="http://localhost/"),),
        properties=(Property(name="title", default="x"),),
    )
    read = Appliance(json.loads(plan_system.appliance(recipe)))
    assert (read.name, read.version, read.vendor) == ("a", "1", "V")
    assert read.ports == [{"guest": 80, "protocol": "tcp", "name": "web"}]
    assert [check["http"] for check in read.health] == ["http://localhost/"]
    assert [rule["default"] for rule in read.properties] == ["x"]


def test_resolver_of_the_recipe_stays() -> None:
    own = Recipe(name="a", version="1", files=(FileRule(target="/etc/resolv.conf", content="x"),))
    assert plan_system.resolver_command(own) == ""
    assert plan_system.resolver_command(SMALL) == "ln -sfn /run/jeos/resolv.conf /etc/resolv.conf\n"


def test_updates_bring_the_root_of_trust_and_the_settings_of_the_agent() -> None:
    update = Update(channel="https://updates.example/a", root="keys/root.json", window="Sun 02:00-05:00")
    recipe = Recipe(name="a", version="1", update=update)
    items = plan_system.plan(recipe, folder=Path("/r"), os_release="")
    assert Item("usr/lib/jeos/root.json", source=Path("/r/keys/root.json")) in items
    assert json.loads(plan_system.appliance(recipe))["update"] == {
        "channel": "https://updates.example/a",
        "ring": "stable",
        "check": "6h",
        "window": "Sun 02:00-05:00",
        "restart": True,
        "hold": "60s",
        "bandwidth": "",
        "snapshot": [],
    }
    assert "update" not in json.loads(plan_system.appliance(SMALL))

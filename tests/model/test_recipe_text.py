import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model import recipe as values
from jeos.model.recipe_keys import RECIPE, table_of
from jeos.model.recipe_rules import problems as rule_problems
from jeos.model.recipe_shapes import (
    UNITS,
    Always,
    Boolean,
    Choice,
    Expression,
    Mode,
    Problems,
    Scalar,
    Seconds,
    Shape,
    Size,
    Text,
    Whole,
)
from jeos.model.recipe_tables import ListOf, Pairs, Switch, Table
from jeos.model.recipe_text import HINT, line_of, parse

HERE = Path(__file__).parent
WRONG = sorted((HERE / "wrong").glob("*.toml"))
EVERY_KEY = (HERE / "every_key.toml").read_text()


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_recipe_is_refused_with_these_words(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        parse(path.read_bytes().decode(), source=path.name)
    assert f"{caught.value.message}\n" == path.with_suffix(".txt").read_text()
    assert caught.value.hint


def test_recipe_with_every_key_is_read_whole() -> None:
    assert parse(EVERY_KEY, source="every_key.toml") == values.Recipe(
        name="shop",
        version="2.1.0~rc1",
        vendor="Example Ltd",
        summary="A shop — with “everything”",
        suite="bookworm",
        mirror="https://mirror.example/debian",
        security_mirror="http://mirror.example:8080/debian-security",
        keyring="keys/debian.gpg",
        components=("main", "contrib"),
        packages=("nginx", "libc6", "g++"),
        exclude=("exim4-base",),
        debs=("dist/shop_2.1_amd64.deb",),
        wheels=("../wheels/shop-2.1-py3-none-any.whl",),
        eula="EULA.txt",
        slim=values.Slim(
            keep=("/usr/share/doc/nginx/*",), skip=("locales",), remove=("/usr/share/nginx/html",), enabled=True
        ),
        repositories=(
            values.Repository(
                name="vendor",
                url="file:///srv/packages",
                suite="stable/updates",
                components=("main", "extra"),
                key="keys/vendor.asc",
            ),
        ),
        files=(
            values.FileRule(
                target="/srv/www",
                source="site",
                owner="www-data",
                group="adm",
                mode=0o640,
                directory_mode=0o750,
            ),
            values.FileRule(target="/etc/motd", content="Welcome.\n"),
            values.FileRule(target="/var/lib/shop", directory=True, owner="shop"),
        ),
        commands=(values.Command(run="update-ca-certificates", network=True),),
        users=(
            values.User(
                name="shop",
                uid=1500,
                home="/srv/shop",
                shell="/bin/bash",
                groups=("adm", "video"),
                ssh_keys=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@example",),
            ),
            values.User(name="worker", system=True),
        ),
        systemd=values.Systemd(enable=("nginx.service",), disable=("fstrim.timer",), mask=("getty@tty2.service",)),
        units=(values.Unit(name="shop@.service", content="[Service]\nExecStart=/usr/bin/shop %i\n", enable=False),),
        kernel=values.Kernel(flavour="generic", modules=("nf_tables",), parameters=("quiet", "mitigations=auto,nosmt")),
        sysctl=(("net.core.default_qdisc", "fq"), ("vm.swappiness", "10")),
        ports=(values.PortRule(guest=443, protocol="udp", name="http3"),),
        health=(
            values.Health(
                name="page", http="http://localhost/health", status=204, timeout=5.0, interval=0.5, within=60.0
            ),
            values.Health(name="unit", unit="nginx.service"),
            values.Health(name="port", tcp="[::1]:5432"),
            values.Health(name="program", command="test -e /run/ready"),
        ),
        properties=(
            values.Property(
                name="site-title", label="Title", description="Shown at the top.", default="Shop", pattern="[A-Z].*"
            ),
            values.Property(name="workers", type="integer", default="4", minimum=1, maximum=64),
            values.Property(name="tier", type="choice", choices=("small", "large"), required=True),
            values.Property(name="debug", type="boolean", default="false"),
            values.Property(name="password", secret=True),
        ),
        machine=values.MachineDefaults(memory=2048, cpus=4),
        disk=values.Disk(slot=512 << 20, data=8 << 30, esp=128 << 20),
        secure_boot=values.SecureBoot(key="keys/boot.key", certificate="keys/boot.crt"),
        update=values.Update(
            channel="https://updates.example/shop",
            root="keys/root.json",
            ring="beta",
            check="1h",
            window="Sun 02:00-05:00; Mon-Fri 22:00-04:00",
            restart=False,
            hold="5m",
            bandwidth="500K",
            snapshot=("/var/lib/shop", "/etc/shop"),
        ),
        catalogue=values.Catalogue(
            title="Web shop",
            readme="README.md",
            changes="CHANGELOG.md",
            licence="Apache-2.0",
            homepage="https://shop.example/",
            tags=("web", "shop"),
        ),
    )


def keys_in(data: Any, *, table: Table) -> Iterator[str]:
    for found in data if isinstance(data, list) else [data]:
        for key in table.keys:
            if key.name in found:
                inner = table_of(key)
                yield key.name
                yield from (f"{key.name}.{name}" for name in (keys_in(found[key.name], table=inner) if inner else ()))


def test_recipe_with_every_key_has_every_key() -> None:
    known = {key.name for key in RECIPE.keys}
    known |= {f"{key.name}.{inner.name}" for key in RECIPE.keys if (table := table_of(key)) for inner in table.keys}
    assert set(keys_in(tomllib.loads(EVERY_KEY), table=RECIPE)) == known


def test_small_recipe_has_the_defaults() -> None:
    assert parse('name = "a"\nversion = "1"\n', source="a") == values.Recipe(name="a", version="1")


def test_slim_can_be_a_word() -> None:
    assert parse('name = "a"\nversion = "1"\nslim = false', source="a").slim == values.Slim(enabled=False)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        parse(f"name = {'[' * 5000}{']' * 5000}", source="a")


def test_line_of_a_key_that_is_not_there_is_that_of_its_table() -> None:
    text = 'name = "a"\r\nversion = "1"\r\n[[file]]\r\n  target = "/a"\r\n'
    assert line_of(text, ("file", 0, "target")) == 4
    assert line_of(text, ("file", 0, "source")) == 3
    assert line_of(text, ("disk", "data")) == 1


def data_for(shape: Shape) -> st.SearchStrategy[object]:
    """Return values that a shape accepts."""
    if isinstance(shape, Text):
        fitting = st.from_regex(shape.pattern, fullmatch=True)
        return fitting.filter(lambda text: len(text) <= shape.longest) if shape.longest else fitting
    if isinstance(shape, Choice):
        return st.sampled_from(shape.choices)
    if isinstance(shape, Always):
        return st.just(True)
    if isinstance(shape, Boolean):
        return st.booleans()
    if isinstance(shape, Whole):
        return st.integers(shape.minimum or 0, shape.maximum or 99)
    if isinstance(shape, Seconds):
        return st.floats(0, shape.maximum, exclude_min=True) | st.integers(1, shape.maximum)
    if isinstance(shape, Size):
        least = (shape.bytes_of(shape.minimum) or 0) // UNITS["M"]
        return st.integers(least, min((shape.bytes_of(shape.maximum) or 0) // UNITS["M"], 9_999_999)).map(
            lambda size: f"{size}M"
        )
    if isinstance(shape, Mode):
        return st.integers(0, 0o7777).map(lambda mode: f"{mode:04o}")
    if isinstance(shape, Scalar):
        return st.integers(-9, 9) | st.text(st.characters(categories=["L", "N"]), max_size=5)
    if isinstance(shape, Expression):
        return st.sampled_from(["[a-z]+", ".*", "(a|b){2}"])
    if isinstance(shape, ListOf):
        # Sizes are kept small: what matters is the mixture. What is not said means its default: twice the same, then.
        def meant(value: object) -> str:
            return repr(shape.element.read(value, path=(), problems=Problems()))

        return st.lists(data_for(shape.element), min_size=shape.shortest, max_size=2, unique_by=meant)
    if isinstance(shape, Pairs):
        return st.dictionaries(st.from_regex(shape.pattern, fullmatch=True), data_for(shape.value), max_size=2)
    if isinstance(shape, Switch):
        return st.booleans() | data_for(shape.table)
    assert isinstance(shape, Table)
    return table_data(shape)


@st.composite
def table_data(draw: st.DrawFn, table: Table) -> dict[str, object]:
    """Return a table with some of its keys, and all that it must have."""
    only = draw(st.sampled_from(table.one_of)) if table.one_of else ""
    data: dict[str, object] = {}
    for key in table.keys:
        excluded = key.name in table.one_of and key.name != only
        if not excluded and (key.name in table.required() or key.name == only or draw(st.integers(0, 3)) == 0):
            data[key.name] = draw(data_for(key.shape))
    return data


@given(table_data(RECIPE))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_recipe_is_read_as_it_was_written(data: dict[str, object]) -> None:
    problems = Problems()
    read = RECIPE.read(tomllib.loads(tomlkit.dumps(data)), path=(), problems=problems)
    assert problems.found == []
    assert isinstance(read, values.Recipe)
    texts = {text for _, text in rule_problems(read)}
    try:
        assert parse(tomlkit.dumps(data), source="a") == read
        assert texts == set()
    except InputError as error:
        assert {line.split(": ", 1)[1] for line in error.message.split("\na:")} == texts


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_recipe_or_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text, source="a")


@given(st.integers(0, len(EVERY_KEY)), st.integers(0, 40), st.text(st.sampled_from("[]{}=\"'#,.\n 0aé-"), max_size=12))
@settings(max_examples=200, deadline=None)
def test_damaged_recipe_is_a_recipe_or_refused(begin: int, length: int, replacement: str) -> None:
    try:
        read = parse(EVERY_KEY[:begin] + replacement + EVERY_KEY[begin + length :], source="a")
    except InputError as error:
        assert error.hint in (HINT, "see https://toml.io for the form")
        assert all(line.startswith("a:") for line in error.message.splitlines())
    else:
        assert isinstance(read, values.Recipe)

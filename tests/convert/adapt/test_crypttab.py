"""crypttab by UUID: what names hardware changes, every other byte stays."""

from hypothesis import given
from hypothesis import strategies as st

from jeos.convert.adapt import crypttab
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Survey, System, Volume
from memory_filesystem import memory_root

SURVEY = Survey(
    (Disk("sda", 1 << 33, table="gpt", uuid="g"),),
    (
        Volume("sda3", "partition", 1 << 30, disk="sda", number=3, content="crypto_LUKS", uuid="luks-1"),
        Volume("sda4", "partition", 1 << 30, disk="sda", number=4, id="AA-BB"),
    ),
)
BEFORE = b"""\
# <target name> <source device> <key file> <options>
data\t/dev/sda3 none luks,discard  # \xff
swap /dev/sda4 /dev/urandom swap,cipher=aes-xts-plain64
other UUID=12 none luks
lost /dev/sdc1 none luks
short
"""
AFTER = BEFORE.replace(b"/dev/sda3", b"UUID=luks-1").replace(b"/dev/sda4", b"PARTUUID=aa-bb")


def machine(content: bytes) -> Machine:
    return Machine(SURVEY, System(family="debian", volume="sda1"), memory_root({"etc/crypttab": content}))


def test_crypttab_names_volumes_by_uuid() -> None:
    assert crypttab.plan(machine(BEFORE), Options()) == Fix(
        "crypttab",
        "encrypted volumes by UUID in /etc/crypttab",
        changes=(Write("etc/crypttab", AFTER),),
        notes=(
            "/etc/crypttab: data is found by UUID=luks-1, since /dev/sda3 has another name on the new home",
            "/etc/crypttab: swap is found by PARTUUID=aa-bb, since /dev/sda4 has another name on the new home",
        ),
        cannot=("/etc/crypttab: /dev/sdc1 for lost is on none of the disks; it will not be opened",),
    )


def test_crypttab_that_was_mended_needs_nothing() -> None:
    before = machine(BEFORE.replace(b"/dev/sdc1", b"LABEL=x"))
    fix = crypttab.plan(before, Options())
    assert fix is not None
    assert crypttab.plan(Machine(SURVEY, before.system, Changed(before.root, fix.changes)), Options()) is None
    assert crypttab.plan(Machine(SURVEY, before.system, memory_root({})), Options()) is None


@given(st.text(st.sampled_from("/dev#sa1 \t\n\r\f\\é"), max_size=80) | st.text(max_size=80))
def test_rewrite_keeps_every_byte_that_is_not_a_device(text: str) -> None:
    assert crypttab.rewrite(text, lambda name, volume: name) == text
    assert crypttab.rewrite(text, lambda name, volume: "X").count("\n") == text.count("\n")

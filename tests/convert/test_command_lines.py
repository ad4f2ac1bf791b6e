"""Where command lines are, and arguments at their ends: everything else stays byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.convert import command_lines


def never(line: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\tlinux\t/boot/vmlinuz-6.1 root=UUID=1 ro quiet \n", "\tlinux\t/boot/vmlinuz-6.1 root=UUID=1 ro quiet X \n"),
        ("  linux16 /vmlinuz root=/dev/x ro", "  linux16 /vmlinuz root=/dev/x ro X"),
        ("linuxefi /v ro\ninitrdefi /i", "linuxefi /v ro X\ninitrdefi /i"),
        ("\tkernel /vmlinuz-2.6.32 ro root=LABEL=/", "\tkernel /vmlinuz-2.6.32 ro root=LABEL=/ X"),
        ("# kopt=root=UUID=1 ro", "# kopt=root=UUID=1 ro X"),
        (
            "title Fedora\nlinux /vmlinuz-6\noptions root=UUID=1",
            "title Fedora\nlinux /vmlinuz-6\noptions root=UUID=1 X",
        ),
        ("options $kernelopts $tuned_params", "options $kernelopts $tuned_params"),
        ("  kernel vmlinuz\n  APPEND root=UUID=1 ro", "  kernel vmlinuz\n  APPEND root=UUID=1 ro X"),
        ('  set kernelopts="root=UUID=1 ro "', '  set kernelopts="root=UUID=1 ro X "'),
        ("kernelopts=root=UUID=1 ro\nsaved_entry=1", "kernelopts=root=UUID=1 ro X\nsaved_entry=1"),
        ('GRUB_CMDLINE_LINUX=""', 'GRUB_CMDLINE_LINUX="X"'),
        ("GRUB_CMDLINE_LINUX='a' # why", "GRUB_CMDLINE_LINUX='a X' # why"),
        ('GRUB_CMDLINE_LINUX_DEFAULT="quiet"', 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"'),
        ("# linux /vmlinuz ro", "# linux /vmlinuz ro"),
        ("insmod linux\nload_video", "insmod linux\nload_video"),
    ],
)
def test_arguments_come_at_the_end_of_a_command_line(before: str, after: str) -> None:
    assert command_lines.add_arguments(before, "X", unless=never) == after
    assert command_lines.add_arguments(after, "X", unless=lambda line: "X" in line) == after


@given(st.text(st.sampled_from("linux /options kernel=\"' \n\t#"), max_size=100) | st.text(max_size=60))
def test_what_needs_no_arguments_keeps_every_byte(text: str) -> None:
    assert command_lines.add_arguments(text, "X", unless=lambda line: True) == text
    assert command_lines.add_arguments(text, "X", unless=never).count("\n") == text.count("\n")


@given(st.text(st.characters(max_codepoint=127, exclude_characters="#"), max_size=100))
def test_an_environment_block_read_again_is_the_same(text: str) -> None:
    whole = f"# GRUB Environment Block\n{text}"
    block = command_lines.write_block(whole)
    assert block is not None
    assert (len(block), command_lines.read_block(block)) == (1024, whole)
    assert command_lines.read_block(block[1:]) is None
    assert command_lines.write_block(whole + "x" * 1024) is None

from pathlib import Path

import pytest

from jeos.cli import overhead
from jeos.core.errors import InputError
from overhead_reports import emulated, on_kvm


def test_report_of_an_emulated_guest(capsys: pytest.CaptureFixture[str]) -> None:
    overhead.show(emulated())
    assert capsys.readouterr().out == (
        "host         AMD <EPYC>, 2 processors, Linux 6.12\n"
        "guest        1 processor, Linux 6.12, on QEMU 7.2.22\n"
        "accelerator  tcg: there is no /dev/kvm\n"
        "paging       by software: the emulator looks translations up and keeps them in a table of its own\n"
        "\n"
        "ONE OPERATION           HOST       GUEST   TIMES  SPREAD\n"
        "arithmetic           1.00 ns     3.00 ns  3.00 x    20 %\n"
        "system call           100 ns      800 ns  8.00 x    20 %\n"
        "context switch       3.00 µs     90.0 µs    30 x    20 %\n"
        "disk, read 4 KiB     1.00 µs      150 µs   150 x    20 %\n"
        "disk, stream      9.77 GiB/s  19.5 GiB/s  0.50 x    20 %\n"
        "network, send     2.44 GiB/s           -       -    10 %\n"
        "network, send: not measured on the side of the guest: there is no network\n"
        "\n"
        "Where it goes: what one operation in the guest costs this host\n"
        "ONE OPERATION        VCPU    BESIDE  TLB FLUSHES\n"
        "arithmetic        3.00 ns  0.400 ns            -\n"
        "system call        900 ns         -            -\n"
        "context switch          -         -         4.50\n"
        "disk, read 4 KiB        -    100 µs            -\n"
        "disk, stream            -         -            -\n"
        "network, send           -         -            -\n"
        "\n"
        "- Nothing of the guest runs on the processor itself, since each instruction is translated: plain\n"
        "  arithmetic takes 3.00 x as long.\n"
        "- What enters a kernel takes 8.00 x as long: the emulator does in many steps what hardware does in\n"
        "  one.\n"
        "- A read from the disk takes 149 µs more in the guest, beside which QEMU's own threads work 100 µs\n"
        "  for it.\n"
        "\n"
        "To be read with care:\n"
        "- This host is busy: 9.0 programs wanted its 2 processors when this began. Ratios say more than\n"
        "  times.\n"
        "- The guest's processor waited for one of the host's in 40 % of its time.\n"
        "- misses of the TLB, host: the kernel offers no counter (No such file or directory)\n"
    )


def test_report_without_cautions_has_no_heading_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    overhead.show(on_kvm("nested", exits=0.01))
    assert "To be read with care" not in capsys.readouterr().out


def test_place_that_holds_nothing_built_is_refused(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text('name = "hello"\nversion = "1"\n')
    with pytest.raises(InputError, match="has not been built yet"):
        overhead.machine_for(tmp_path, accelerator="auto")

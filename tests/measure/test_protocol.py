import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import MachineError
from jeos.measure import protocol
from jeos.measure.protocol import Done, End, Fact, Failed, Lacks, Ready, Said, Stop, Warm


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("@ fact processor AMD EPYC", Fact("processor", "AMD EPYC")),
        ("@ ready fork", Ready("fork")),
        ("@ warm fork", Warm("fork")),
        ("@ stop fork", Stop("fork")),
        ("@ lacks memory-2m the kernel gives none", Lacks("memory-2m", "the kernel gives none")),
        ("@ failed cannot open /dev/vda", Failed("cannot open /dev/vda")),
        ("@ end", End()),
        ("@ done fork 50 3 - 12 1e+06 99.5", Done("fork", 50, (1e6, 99.5), faults=3, waited=12)),
        ("[    0.1] Linux version 6.12", None),
        ("go", None),
    ],
)
def test_line_is_understood(line: str, said: Said | None) -> None:
    assert protocol.parse(line) == said


@pytest.mark.parametrize("line", ["@ done fork 50 3 - 12", "@ done fork - 3 - 12 1", "@ done fork x 1 2 3 4", "@ what"])
def test_garbled_line_is_refused(line: str) -> None:
    with pytest.raises(MachineError, match="garbled"):
        protocol.parse(line)


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(MachineError):
        protocol.parse(f"@ {text}")

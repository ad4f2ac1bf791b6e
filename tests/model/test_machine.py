import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError, UsageError
from jeos.model.machine import (
    Boot,
    Forward,
    Machine,
    State,
    Status,
    check_name,
    machine_text,
    parse_forward,
    parse_machine,
    parse_state,
    state_text,
)

FORWARDS = st.builds(
    Forward,
    host=st.integers(0, 65535),
    guest=st.integers(1, 65535),
    protocol=st.sampled_from(["tcp", "udp"]),
    address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str),
)
TEXT = st.text(max_size=20)
MACHINES = st.builds(
    Machine,
    name=st.just("web"),
    disk=TEXT,
    cmdline=TEXT,
    boot=st.sampled_from(Boot),
    memory=st.integers(1, 1 << 20),
    forwards=st.lists(FORWARDS, max_size=3).map(tuple),
    properties=st.lists(TEXT, max_size=3).map(tuple),
)
STATES = st.builds(
    State,
    status=st.sampled_from(Status),
    reason=TEXT,
    since=st.floats(0, 1e10),
    forwards=st.lists(FORWARDS, max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    ("text", "forward"),
    [
        ("8080:80", Forward(host=8080, guest=80)),
        ("0:22/tcp", Forward(host=0, guest=22)),
        ("0.0.0.0:5353:53/udp", Forward(host=5353, guest=53, protocol="udp", address="0.0.0.0")),
        ("[::1]:8443:443", Forward(host=8443, guest=443, address="::1")),
    ],
)
def test_parse_forward(text: str, forward: Forward) -> None:
    assert parse_forward(text) == forward


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("80", "--port 80 is not of the form [HOST_IP:]HOST_PORT:GUEST_PORT[/tcp|/udp]"),
        ("a:80", "--port a:80 is not of the form [HOST_IP:]HOST_PORT:GUEST_PORT[/tcp|/udp]"),
        ("1:80/sctp", "--port 1:80/sctp is not of the form [HOST_IP:]HOST_PORT:GUEST_PORT[/tcp|/udp]"),
        ("70000:80", "--port 70000:80: a port is a number from 1 to 65535"),
        ("80:0", "--port 80:0: a port is a number from 1 to 65535"),
        ("1.2.3:80:80", "--port 1.2.3:80:80: 1.2.3 is not an IP address"),
        ("[::g]:80:80", "--port [::g]:80:80 is not of the form [HOST_IP:]HOST_PORT:GUEST_PORT[/tcp|/udp]"),
    ],
)
def test_parse_forward_of_wrong_text(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_forward(text)
    assert caught.value.message == message


@given(FORWARDS)
@settings(max_examples=50)
def test_forward_reads_what_it_writes(forward: Forward) -> None:
    assert parse_forward(str(forward)) == forward


@given(MACHINES)
@settings(max_examples=50)
def test_machine_reads_what_it_writes(machine: Machine) -> None:
    assert parse_machine(machine_text(machine), source="x") == machine


@given(STATES)
@settings(max_examples=50)
def test_state_reads_what_it_writes(state: State) -> None:
    assert parse_state(state_text(state), source="x") == state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"boot": "sideways"}', '{"boot": "direct", "forwards": [3]}', "\0"])
def test_parse_machine_of_damaged_text(text: str) -> None:
    with pytest.raises(InputError, match=r"machine\.json does not describe a machine"):
        parse_machine(text, source="machine.json")
    with pytest.raises(InputError, match=r"state\.json is not a machine's state"):
        parse_state(text, source="state.json")


@pytest.mark.parametrize("name", ["web", "a", "web-1.0_x", "0" * 48])
def test_check_name_takes(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "..", ".web", "Web", "web/x", "-x", "x-", "x" * 49, "ü", "a b"])
def test_check_name_refuses(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)

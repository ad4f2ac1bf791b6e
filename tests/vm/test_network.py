import socket

import pytest

from jeos.core.errors import HostError, UsageError
from jeos.model.machine import Forward
from jeos.vm import network
from jeos.vm.network import Network, resolve, slirp


def test_resolve_finds_a_free_port_for_each_zero() -> None:
    found = resolve([Forward(host=0, guest=80), Forward(host=0, guest=443), Forward(host=0, guest=53, protocol="udp")])
    ports = [forward.host for forward in found]
    assert 0 not in ports
    assert ports[0] != ports[1]
    assert [(forward.guest, forward.protocol) for forward in found] == [(80, "tcp"), (443, "tcp"), (53, "udp")]
    for forward in found:
        kind = socket.SOCK_STREAM if forward.protocol == "tcp" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as free:
            free.bind((forward.address, forward.host))


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_resolve_names_a_busy_port(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as busy:
        busy.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            resolve([Forward(host=port, guest=80, protocol=protocol)])
    assert caught.value.message == f"port {port}/{protocol} on 127.0.0.1 is taken by another program or machine"
    assert caught.value.hint == f"`ss -lnp sport = :{port}` shows by whom; --port 0:80 takes any that is free"


def test_resolve_refuses_a_port_asked_for_twice() -> None:
    free = resolve([Forward(host=0, guest=80)])[0]
    with pytest.raises(UsageError, match="is taken by another"):
        resolve([free, Forward(host=free.host, guest=81)])


def test_resolve_takes_a_port_on_which_connections_linger() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    assert resolve([Forward(host=port, guest=80)]) == (Forward(host=port, guest=80),)


def test_resolve_refuses_an_address_that_is_not_here() -> None:
    with pytest.raises(HostError) as caught:
        resolve([Forward(host=0, guest=80, address="192.0.2.1")])
    assert caught.value.message == "this host has no address 192.0.2.1"


def test_slirp_forwards_both_protocols() -> None:
    forwards = (Forward(host=8080, guest=80), Forward(host=5353, guest=53, protocol="udp", address="0.0.0.0"))
    netdev = "user,id=net,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:0.0.0.0:5353-:53"
    assert slirp(forwards, why_not_passt="it is not installed") == Network(
        kind="slirp", forwards=forwards, netdev=netdev
    )


def test_slirp_refuses_ipv6() -> None:
    with pytest.raises(UsageError, match=r"the port \[::1\]:8080:80/tcp needs passt, .* and it is not installed"):
        slirp([Forward(host=8080, guest=80, address="::1")], why_not_passt="it is not installed")


def test_network_of_a_copy_opens_its_ports_later_and_keeps_the_address() -> None:
    forwards = (Forward(host=8080, guest=80),)
    found = network.slirp(forwards, why_not_passt="", later=True, first=network.BEFORE_USUAL)
    assert (found.netdev, found.forwards) == ("user,id=net,dhcpstart=10.0.2.14", forwards)
    assert network.hostfwd(forwards[0]) == "tcp:127.0.0.1:8080-10.0.2.15:80"
    again = network.slirp(forwards, why_not_passt="", first=network.BEFORE_USUAL)
    assert again.netdev == "user,id=net,dhcpstart=10.0.2.14,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80"

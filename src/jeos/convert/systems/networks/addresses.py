"""Addresses as configurations write them, in one form: "192.0.2.7/24"."""

import ipaddress


def with_prefix(address: str, mask: str = "") -> str:
    """Return an address with its prefix; `mask` is a netmask or a number of bits, for an address without one.

    What is no address is returned as it is: it is shown, not used.
    """
    address, mask = address.strip().strip("\"'"), mask.strip().strip("\"'")
    if "/" in address or not mask:
        return address
    try:
        return ipaddress.ip_interface(f"{address}/{mask}").with_prefixlen
    except ValueError:
        return f"{address}/{mask}"

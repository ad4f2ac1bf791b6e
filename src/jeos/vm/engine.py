"""Which engine a machine runs on: the QEMU that jeos starts itself, or a domain of libvirt.

parse("libvirt")                        # "qemu:///session", or the system's for root
parse("libvirt=qemu:///system")
parse("qemu")                           # ""
"""

from jeos.core.errors import UsageError

SYNTAX = "qemu|libvirt[=URI]"
QEMU, LIBVIRT = "qemu", "libvirt"


def parse(text: str) -> str:
    """Return the address of a machine's libvirt, "" for jeos's own QEMU. Raises UsageError."""
    kind, sign, uri = text.partition("=")
    if kind not in ("", QEMU, LIBVIRT) or (sign and (kind != LIBVIRT or not uri)):
        raise UsageError(f"--engine {text} is not of the form {SYNTAX}", hint="for example --engine libvirt")
    if kind != LIBVIRT:
        return ""
    from jeos.vm.domains import library  # for few

    return library.check_uri(uri) if uri else library.usual_uri()

"""What a machine cannot have on libvirt: it is refused, with what to do instead, rather than left out."""

from jeos.core.errors import JeosError, UsageError
from jeos.model.machine import Channel, Confine, Machine
from jeos.model.saved import Start
from jeos.vm.domains.library import check_uri

WITHOUT = "or run it on jeos's own QEMU: --engine qemu"


def check(machine: Machine, start: Start | None = None) -> None:
    """Raise UsageError for what this machine, or the way in which it starts, cannot have on libvirt."""
    check_uri(machine.engine)
    for wanted, what, hint in (
        (machine.devices, "have devices of this host", "--device none"),
        (machine.limits.wanted, "be held to limits", "--limit-cpu, --limit-memory and --limit-io none"),
        (machine.confine is Confine.STRICT, "be fenced off by all that jeos knows", "--confine auto"),
        (machine.channel is Channel.VSOCK, "be spoken with over vsock", "--channel auto"),
        (machine.supply, "read its disks from a backup", "jeos backup restore"),
        (start is not None and start.ram, "go on from a template", "jeos run without --from-template"),
    ):
        if wanted:
            raise refusal(f"a machine on libvirt cannot {what}", hint)


def refusal(what: str, hint: str = "") -> JeosError:
    """Return the error for what libvirt machines cannot do."""
    return UsageError(what, hint=", ".join(filter(None, (hint, WITHOUT))))

"""The `jeos-agent` command of the guest.

    jeos-agent status [--json]     what this guest is and how it is
    jeos-agent health [--json]     try the appliance's health checks now; ends with 1 if one does not hold
    jeos-agent daemon              serve the host (jeos-agent.service)
    jeos-agent properties          take the operator's properties (jeos-properties.service)
    jeos-agent update [--check|--now|--from PATH] [--json]
                                   look for a newer release and take it (jeos-update.service)
    jeos-agent begin               before services, while a release is on trial (jeos-begin.service)
    jeos-agent confirm             keep the release on trial once it is well, or go back (jeos-confirm.service)

Each command imports only what it needs, because the daemon stays in memory for ever.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence

PORT = "/dev/virtio-ports/org.jeos.agent.0"
USAGE_STATUS = 2
ANSWER_SECONDS = 5.0


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    command, *options = arguments or [""]
    run = COMMANDS.get(command)
    if run is None:
        _print(__doc__ or "", error=True)
        return USAGE_STATUS
    return run(options)


def serve(options: Sequence[str]) -> int:
    """Serve the host over vsock or the virtio port, or on an inherited descriptor (`--descriptor N`), to its end."""
    from jeos.agent import appliance, console
    from jeos.agent.daemon import Daemon
    from jeos.agent.local import PLACE

    given = dict(zip(options[::2], options[1::2], strict=False))
    inherited = given.get("--descriptor")
    daemon = Daemon(
        appliance=appliance.read(given.get("--appliance", appliance.PLACE)),
        consoles=[] if inherited else console.consoles(),
        ends_with_port=inherited is not None,
    )
    daemon.listen(given.get("--socket", PLACE))
    if inherited:
        os.set_inheritable(int(inherited), False)
        daemon.attach(int(inherited))
    else:
        daemon.await_port(PORT)
        daemon.watch_network()
    daemon.loop.on_signal(signal.SIGTERM, daemon.say_goodbye)
    daemon.watch_health()
    daemon.loop.run()
    return 0


def show_status(options: Sequence[str]) -> int:
    """Print what the guest is, from the daemon."""
    from jeos.agent import console, local

    try:
        said = local.ask({"do": "status"}, seconds=ANSWER_SECONDS)
    except OSError as error:
        return _not_there(error)
    _print(json.dumps(said, indent=2) if "--json" in options else console.screen(said))
    return 0


def check_health(options: Sequence[str]) -> int:
    """Try the health checks through the daemon, so that host and console learn the result too."""
    from jeos.agent import appliance, health, local

    checks = appliance.read().health
    seconds = sum(appliance.number(check, "timeout", health.TIMEOUT) for check in checks) + ANSWER_SECONDS
    try:
        said = local.ask({"do": "health"}, seconds=seconds)
    except OSError as error:
        return _not_there(error)
    reasons = said.get("reasons")
    if "--json" in options:
        _print(json.dumps(said, indent=2))
    else:
        _print("\n".join([str(said.get("state")), *(reasons if isinstance(reasons, list) else [])]))
    return 0 if said.get("state") == health.HEALTHY else 1


def take_properties(options: Sequence[str]) -> int:
    """Put the operator's properties where services read them; ends with 1 if one is missing or wrong."""
    from jeos.agent import appliance, console, properties

    faults = properties.take(appliance.read().properties)
    if faults:
        text = "".join(f"{fault}\n" for fault in faults)
        _print(text, error=True)
        console.put(f"jeos: this appliance cannot start its services:\n{text}", console.consoles())
    return 1 if faults else 0


def update(options: Sequence[str]) -> int:
    """Look for a newer release, and take it."""
    try:
        from jeos.agent import updating  # only in images that update themselves
    except ImportError:
        _print("this appliance does not update itself: its recipe has no [update]", error=True)
        return 1
    return updating.update(options)


def begin_trial(options: Sequence[str]) -> int:
    """Do what a release on trial needs before services start."""
    from jeos.agent import trial  # only in images that update themselves

    return trial.begin(options)


def end_trial(options: Sequence[str]) -> int:
    """Keep the release on trial once it has been well, or go back to the one before."""
    from jeos.agent import trial

    return trial.keep_or_leave(options)


def _not_there(error: OSError) -> int:
    _print(f"the agent does not answer: {error}\nhint: systemctl status jeos-agent", error=True)
    return 1


def _print(text: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(text.rstrip("\n") + "\n")


COMMANDS = {
    "daemon": serve,
    "status": show_status,
    "health": check_health,
    "properties": take_properties,
    "update": update,
    "begin": begin_trial,
    "confirm": end_trial,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

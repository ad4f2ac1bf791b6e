"""Keep cloud-init from replacing the machine's network settings when it finds itself in another place.

On a new home without the old one's source of data, cloud-init takes the machine for a new one, and writes settings with
DHCP over those that it once wrote, static addresses included.
"""

import re

from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options

NAME = "cloud-network"
TITLE = "cloud-init leaves the network as it is"
ORDER = 41

_FOLDER = "etc/cloud/cloud.cfg.d"
_PATH = f"{_FOLDER}/99-jeos-network.cfg"
_DISABLED = re.compile(r"network\s*:\s*(?:\{\s*)?[\"']?config[\"']?\s*:\s*[\"']?disabled", re.ASCII)
_OFF = "etc/cloud/cloud-init.disabled"
_CONTENT = b"# The network stays as it was on the old home; written by jeos convert.\nnetwork: {config: disabled}\n"


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the setting that switches off cloud-init's network part, where addresses are static."""
    root = machine.root
    if not machine.linux or not root.is_file("etc/cloud/cloud.cfg") or root.exists(_OFF):
        return None
    if not (options.keep_network or any(item.static for item in machine.system.interfaces)):
        return None
    settings = ["etc/cloud/cloud.cfg", *root.glob(f"{_FOLDER}/*.cfg")]
    if any(_DISABLED.search(root.text_or_empty(path)) for path in settings):
        return None
    note = f"/{_PATH}: cloud-init would replace the static addresses by DHCP on a machine that is new to it"
    return Fix(NAME, TITLE, changes=(Write(_PATH, _CONTENT),), notes=(note,))

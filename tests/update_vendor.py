"""A vendor of a small appliance that updates itself: builds of several versions, keys, and channels with them.

vendor = Vendor.make(jeos, folder, port=8123)
vendor.build("1"), vendor.build("2")
vendor.publish("1"); vendor.publish("2")
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from jeos.build.outputs import Outputs, find
from jeos.model.recipe_text import FILE_NAME
from jeos_command import Jeos
from qemu_door import HOST

PASSPHRASE = "only for tests"
SUITE = "trixie"
CHANGED = 300_000  # bytes that are new in each version and cannot be made smaller
RECIPE = """
name = "tiny"
version = "{version}"
suite = "{suite}"
[[unit]]
name = "good.service"
content = '''
[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
'''
[[health]]
name = "good"
unit = "good.service"
within = 300
[[file]]
source = "changed"
target = "/usr/lib/changed"
[[file]]
target = "/usr/lib/jeos/migrate.d/{version}-note"
mode = "0755"
content = '''#!/bin/sh
mkdir -p /var/lib/app
echo "$JEOS_FROM $JEOS_TO" > /var/lib/app/note
'''
[update]
channel = "http://{host}:{port}/{folder}/"
root = "keys/root.json"
hold = "2s"
snapshot = ["/var/lib/app"]
[disk]
slot = "160M"
data = "128M"
"""


@dataclass
class Vendor:
    """The vendor; `port` is where the guest looks for the channel, in the folder `main` of what is served there."""

    jeos: Jeos
    folder: Path
    port: int
    suite: str = SUITE
    builds: dict[str, Outputs] = field(default_factory=dict)

    @classmethod
    def make(cls, jeos: Jeos, folder: Path, *, port: int, suite: str = SUITE) -> "Vendor":
        """Make the vendor's keys."""
        folder.mkdir(parents=True)
        signing = jeos.having(JEOS_PASSPHRASE=PASSPHRASE)
        signing.run("keys", "new", "--keys", folder / "keys")
        return cls(signing, folder, port, suite)

    @property
    def channels(self) -> Path:
        return self.folder / "channels"

    def write(self, version: str) -> Path:
        """Write the recipe of a version that has some bytes of its own, and return it."""
        recipe = self.folder / FILE_NAME
        recipe.write_text(RECIPE.format(version=version, host=HOST, port=self.port, folder="main", suite=self.suite))
        (self.folder / "changed").write_bytes(os.urandom(CHANGED))
        return recipe

    def build(self, version: str) -> Outputs:
        """Write a version, and build it."""
        self.write(version)
        self.jeos.run("build", self.folder)
        self.builds[version] = find(self.folder / f"build/tiny_{version}.json")
        return self.builds[version]

    def publish(self, version: str, *options: str, channel: str = "main") -> None:
        """Publish a version that was built."""
        description = self.folder / f"build/tiny_{version}.json"
        words = ("--channel", self.channels / channel, "--keys", self.folder / "keys")
        self.jeos.run("publish", description, *words, *options)

    def channel(self, *words: str, channel: str = "main") -> None:
        """Change the channel: `jeos channel …`."""
        self.jeos.run("channel", *words, "--channel", self.channels / channel, "--keys", self.folder / "keys")

"""The recipe, `appliance.toml`, as frozen values: what an appliance is made of.

Paths in it are relative to the recipe's folder. Sizes are in bytes, memory in MiB once read.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Repository:
    """An apt repository beside Debian's own; `key` is the path of its OpenPGP key."""

    name: str
    url: str
    suite: str
    key: str
    components: tuple[str, ...] = ("main",)


@dataclass(frozen=True, slots=True)
class FileRule:
    """A file or folder to put into the image: from `source` (a path), `content` (text), or an empty `directory`."""

    target: str
    source: str = ""
    content: str | None = None
    directory: bool = False
    owner: str = "root"
    group: str = "root"
    mode: int | None = None  # None keeps a source's executable bit: 0644 or 0755
    directory_mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command that runs in the sandbox, in the image, after all packages are configured and files copied."""

    run: str
    network: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """A user of the appliance."""

    name: str
    uid: int | None = None
    system: bool = False
    home: str = ""
    shell: str = ""
    groups: tuple[str, ...] = ()
    ssh_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit written in the recipe."""

    name: str
    content: str
    enable: bool = True


@dataclass(frozen=True, slots=True)
class Systemd:
    """Which units are enabled, disabled and masked."""

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel: `flavour` is "cloud" or "generic"; `modules` are kept and loaded at boot."""

    flavour: str = "cloud"
    modules: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortRule:
    """A port that the appliance offers."""

    guest: int
    protocol: str = "tcp"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """One check that tells whether the appliance is well; exactly one of unit, http, tcp and command is set."""

    name: str
    unit: str = ""
    http: str = ""
    tcp: str = ""
    command: str = ""
    status: int = 200  # what `http` must answer
    timeout: float = 10.0  # seconds for one try
    interval: float = 2.0  # seconds between tries
    within: float = 120.0  # seconds after boot until it must hold


@dataclass(frozen=True, slots=True)
class Property:
    """A value that the operator sets at deployment."""

    name: str
    type: str = "string"  # string, integer, boolean, choice
    label: str = ""
    description: str = ""
    default: str | None = None
    required: bool = False
    secret: bool = False
    pattern: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineDefaults:
    """What a machine gets if nobody says otherwise; `memory` in MiB."""

    memory: int = 512
    cpus: int = 1


@dataclass(frozen=True, slots=True)
class Disk:
    """Sizes in bytes; a `slot` of 0 is chosen from what is in it, with room to grow."""

    slot: int = 0
    data: int = 1 << 30
    esp: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Slim:
    """What is left out of the image: `keep` are path patterns that no rule removes, `skip` names rules not to apply."""

    enabled: bool = True
    keep: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecureBoot:
    """The vendor's key and certificate (paths, PEM) that the kernel image and boot loader are signed with."""

    key: str
    certificate: str


@dataclass(frozen=True, slots=True)
class Update:
    """Where the appliance's updates come from, and when; `jeos.model.schedule` reads the periods, windows and rate."""

    channel: str
    root: str  # the path of the vendor's first TUF root metadata
    ring: str = "stable"
    check: str = "6h"
    window: str = ""  # "" for any time
    restart: bool = True
    hold: str = "60s"
    bandwidth: str = ""  # bytes a second; "" for no limit
    snapshot: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a catalogue of appliances shows of it; `readme` and `changes` are paths of Markdown files."""

    title: str = ""
    readme: str = ""
    changes: str = ""
    licence: str = ""
    homepage: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that `appliance.toml` says."""

    name: str
    version: str
    vendor: str = ""
    summary: str = ""
    suite: str = "trixie"
    mirror: str = ""
    security_mirror: str = ""
    keyring: str = ""  # the path of the keys that sign the mirror; "" for the host's
    components: tuple[str, ...] = ("main",)
    packages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    debs: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    eula: str = ""
    repositories: tuple[Repository, ...] = ()
    files: tuple[FileRule, ...] = ()
    commands: tuple[Command, ...] = ()
    users: tuple[User, ...] = ()
    systemd: Systemd = field(default_factory=Systemd)
    units: tuple[Unit, ...] = ()
    kernel: Kernel = field(default_factory=Kernel)
    sysctl: tuple[tuple[str, str], ...] = ()
    ports: tuple[PortRule, ...] = ()
    health: tuple[Health, ...] = ()
    properties: tuple[Property, ...] = ()
    machine: MachineDefaults = field(default_factory=MachineDefaults)
    disk: Disk = field(default_factory=Disk)
    slim: Slim = field(default_factory=Slim)
    secure_boot: SecureBoot | None = None
    update: Update | None = None
    catalogue: Catalogue = field(default_factory=Catalogue)

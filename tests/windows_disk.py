"""A volume as Windows Server 2022 leaves it, as far as conversions look at it: real NTFS, real hives, no Windows.

The hives are made by hivexregedit and hold the keys that Windows has under the same names; the volume is filled by
ntfs-3g. What Windows does with the result cannot be tried here.
"""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import hives
import ntfs_volume
from jeos.convert.windows import CONFIG, NETWORK_CLASS

CARD = "{7B3D6A52-1111-4C6E-9D0A-0123456789AB}"

SOFTWARE = r"""
[HIVE\Microsoft\Windows NT\CurrentVersion]
"ProductName"="{title}"
"EditionID"="{edition}"
"InstallationType"="{kind}"
"CurrentBuildNumber"="{build}"
"CurrentVersion"="{old_version}"
"UBR"=dword:00000841
{major}

[HIVE\Microsoft\Windows\CurrentVersion]
"DevicePath"=str(2):"%SystemRoot%\\inf"

[HIVE\Microsoft\Windows\CurrentVersion\RunOnce]

"""
SYSTEM = r"""
[HIVE\Select]
"Current"=dword:00000001
"Default"=dword:00000001
"LastKnownGood"=dword:00000001

[HIVE\ControlSet001\Control\ComputerName\ComputerName]
"ComputerName"="OLDHOST"

[HIVE\ControlSet001\Control\Session Manager\Environment]
"PROCESSOR_ARCHITECTURE"="{architecture}"

[HIVE\ControlSet001\Control\Session Manager\Power]
"HiberbootEnabled"=dword:00000001

[HIVE\ControlSet001\Control\CriticalDeviceDatabase]

[HIVE\ControlSet001\Control\Class\{{4D36E97B-E325-11CE-BFC1-08002BE10318}}]
"Class"="SCSIAdapter"

[HIVE\ControlSet001\Control\Class\{network}\0000]
"NetCfgInstanceId"="{card}"
"DriverDesc"="vmxnet3 Ethernet Adapter"

[HIVE\ControlSet001\Control\Network\{network}\{card}\Connection]
"Name"="Ethernet0"

[HIVE\ControlSet001\Services\pvscsi]
"Start"=dword:00000000
"Type"=dword:00000001
"ImagePath"=str(2):"System32\\drivers\\pvscsi.sys"

[HIVE\ControlSet001\Services\vmxnet3ndis6]
"Start"=dword:00000003

[HIVE\ControlSet001\Services\storahci]
"Start"=dword:00000003

[HIVE\ControlSet001\Services\storahci\StartOverride]
"0"=dword:00000003

[HIVE\ControlSet001\Services\VMTools]
"Start"=dword:00000002

[HIVE\ControlSet001\Services\Tcpip\Parameters]
"NV Hostname"="oldhost"
"Hostname"="oldhost"

[HIVE\ControlSet001\Services\Tcpip\Parameters\Interfaces\{card}]
"EnableDHCP"=dword:{dhcp:08x}
"IPAddress"={address}
"SubnetMask"={mask}
"DefaultGateway"={gateway}
"NameServer"="192.0.2.53,192.0.2.54"

{database}
"""
DATABASE = r"""
[HIVE\DriverDatabase\DeviceIds\PCI]

[HIVE\DriverDatabase\DriverInfFiles]

[HIVE\DriverDatabase\DriverPackages]

"""


def multi(*texts: str) -> str:
    """Return a list of texts as a .reg file has it."""
    data = "".join(text + "\0" for text in texts) + "\0"
    return "hex(7):" + data.encode("utf-16-le").hex(",")


@dataclass(frozen=True)
class Edition:
    """Which Windows it is."""

    title: str = "Windows Server 2022 Standard"
    edition: str = "ServerStandard"
    kind: str = "Server"
    build: str = "20348"
    old_version: str = "6.3"
    major: int | None = 10
    architecture: str = "AMD64"
    database: bool = True
    dhcp: bool = False
    extra: dict[str, bytes] = field(default_factory=dict)
    more_system: str = ""


def make_hives(folder: Path, edition: Edition) -> tuple[Path, Path]:
    """Make the hives SYSTEM and SOFTWARE in a folder."""
    major = f'"CurrentMajorVersionNumber"=dword:{edition.major or 0:08x}\n"CurrentMinorVersionNumber"=dword:00000000'
    software = SOFTWARE.format(
        title=edition.title,
        edition=edition.edition,
        kind=edition.kind,
        build=edition.build,
        old_version=edition.old_version,
        major=major if edition.major else "",
    )
    system = SYSTEM.format(
        architecture=edition.architecture,
        network=NETWORK_CLASS,
        card=CARD,
        dhcp=int(edition.dhcp),
        address=multi("192.0.2.7"),
        mask=multi("255.255.255.0"),
        gateway=multi("192.0.2.1"),
        database=DATABASE if edition.database else "",
    )
    return (
        hives.make(folder / "SYSTEM", system + edition.more_system),
        hives.make(folder / "SOFTWARE", software),
    )


def make(folder: Path, edition: Edition | None = None, *, size: int = 64 << 20) -> Path:
    """Make a volume with Windows's folders and hives; return the file that holds it."""
    edition = edition or Edition()
    folder.mkdir(parents=True, exist_ok=True)
    system, software = make_hives(folder, edition)
    image = ntfs_volume.make(folder / "windows.img", size=size)
    files = {
        f"{CONFIG}/SYSTEM": system.read_bytes(),
        f"{CONFIG}/SOFTWARE": software.read_bytes(),
        "Windows/System32/ntoskrnl.exe": b"MZ not a kernel",
        "Windows/System32/drivers/pvscsi.sys": b"MZ not a driver",
        "Windows/INF/disk.inf": b"[Version]\r\n",
        "Windows/WinSxS/readme": b"",
        "Users/Public/desktop.ini": b"[.ShellClassInfo]\r\n",
        "Program Files/VMware/VMware Tools/vmtoolsd.exe": b"MZ not a tool",
        **edition.extra,
    }
    packed = {path: base64.b85encode(content).decode() for path, content in files.items()}
    program = (
        "import base64\n"
        f"for path, content in {packed!r}.items():\n"
        "    (top / path).parent.mkdir(parents=True, exist_ok=True)\n"
        "    (top / path).write_bytes(base64.b85decode(content))\n"
    )
    script = folder / "fill.py"
    script.write_text(program)
    ntfs_volume.fill(image, f"exec(pathlib.Path({str(script)!r}).read_text())")
    return image

"""What is left to do inside Windows at its first start, as the scripts of a service that removes itself.

The service is a command processor that starts the script beside itself, so that it does not matter that it never
reports to the service manager. It runs as the local system before anybody logs in, writes first-boot.log beside itself,
and deletes the service once everything went through; until then each start tries again. Addresses are set through WMI,
which every Windows from 7 on has.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from jeos.convert.windows import Address
from jeos.disk.hive_edit import Keys, expanded, number, text

FOLDER = "Windows/jeos"
SERVICE = "JeosFirstBoot"

_COMMAND = """\
@echo off
rem Written by jeos convert: what is left to do inside Windows. It runs once, and says what it did in first-boot.log.
cd /d "%~dp0"
call :all >> first-boot.log 2>&1
exit /b

:all
echo %DATE% %TIME%
set failed=
for /d %%d in (drivers\\*) do for %%i in ("%%d\\*.inf") do pnputil -i -a "%%i"
for %%i in (*.msi) do start "" /wait msiexec /i "%%i" /qn /norestart
if exist network.ps1 powershell -NoProfile -ExecutionPolicy Bypass -File network.ps1 || set failed=network
if not "%failed%"=="" echo failed: %failed%, trying again at the next start & exit /b 1
sc delete SERVICE
echo done
exit /b 0
""".replace("SERVICE", SERVICE)

_NETWORK = """\
# Written by jeos convert: gives the new network cards the addresses that the old ones had.
$wanted = @(
WANTED
)
$deadline = (Get-Date).AddMinutes(5)
do {
    $cards = @(Get-WmiObject Win32_NetworkAdapter | Where-Object {
        $_.PNPDeviceID -like 'PCI\\*' -and $_.MACAddress -and $_.NetEnabled
    } | Sort-Object PNPDeviceID)
    if ($cards.Count -lt $wanted.Count) { Start-Sleep -Seconds 3 }
} while ($cards.Count -lt $wanted.Count -and (Get-Date) -lt $deadline)
$failed = 0
for ($n = 0; $n -lt $wanted.Count; $n++) {
    $set = $wanted[$n]
    $card = $cards | Where-Object { $set.mac -and $_.MACAddress -eq $set.mac } | Select-Object -First 1
    if (-not $card) { $card = $cards | Select-Object -Index $n }
    if (-not $card) { Write-Output "there is no card for $($set.addresses)"; $failed = 1; continue }
    $there = Get-WmiObject Win32_NetworkAdapterConfiguration -Filter "Index=$($card.Index)"
    $results = @($there.EnableStatic($set.addresses, $set.masks).ReturnValue)
    if ($set.gateways) { $results += $there.SetGateways($set.gateways).ReturnValue }
    if ($set.servers) { $results += $there.SetDNSServerSearchOrder($set.servers).ReturnValue }
    Write-Output "$($card.Name) $($card.MACAddress): $($set.addresses), results $results"
    if ($results | Where-Object { $_ -gt 1 }) { $failed = 1 }
}
exit $failed
"""


def command_script() -> bytes:
    """Return the script that the service starts."""
    return _COMMAND.replace("\n", "\r\n").encode("ascii")


def network_script(addresses: Sequence[Address], *, macs: Sequence[str]) -> bytes:
    """Return the script that sets these addresses, on the cards with these MACs where they are known, else in order.

    Only what is an IPv4 address is taken over from the registry.
    """
    lines = ",\n".join(_settings(address, mac) for address, mac in zip(addresses, macs, strict=True))
    return _NETWORK.replace("WANTED", lines).replace("\n", "\r\n").encode("ascii")


def _settings(address: Address, mac: str) -> str:
    own = [ipaddress.IPv4Interface(item) for item in address.addresses]
    fields = {
        "addresses": [str(item.ip) for item in own],
        "masks": [str(item.netmask) for item in own],
        "gateways": list(_valid(address.gateways)),
        "servers": list(_valid(address.servers)),
    }
    parts = [f"mac = '{mac.upper()}'", *(f"{name} = {_array(items)}" for name, items in fields.items())]
    return f"    @{{ {'; '.join(parts)} }}"


def _array(items: Sequence[str]) -> str:
    quoted = ", ".join(f"'{item}'" for item in items)
    return f"@({quoted})" if items else "$null"


def _valid(items: Sequence[str]) -> Iterator[str]:
    for item in items:
        try:
            yield str(ipaddress.IPv4Address(item))
        except ValueError:
            continue


def service_keys(control_set: str) -> Keys:
    """Return the service that starts the script when Windows starts."""
    script = f"%SystemRoot%\\{FOLDER.partition('/')[2]}\\first-boot.cmd"
    return Keys(
        f"{control_set}\\Services\\{SERVICE}",
        (
            number("Type", 0x10),  # a program of its own
            number("Start", 2),  # when Windows starts
            number("ErrorControl", 0),  # without a word if it fails
            expanded("ImagePath", f'%SystemRoot%\\System32\\cmd.exe /c start "" /b cmd.exe /c "{script}"'),
            text("DisplayName", "jeos: what a conversion left to do"),
            text("ObjectName", "LocalSystem"),
        ),
    )

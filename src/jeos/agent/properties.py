"""Take the operator's properties to where the appliance's services read them.

They arrive as systemd credentials `jeos.property.NAME`; on VMware's hypervisors, those that were typed in at deployment
on a disc (`ovf_environment`). Each is checked by the rules of the recipe; one that is not
set has its default. Ordinary ones go to `/run/jeos/properties.env`, as NAME="value" for `EnvironmentFile=` and shells;
secret ones only to `/run/jeos/secrets/NAME`, for `LoadCredential=NAME:/run/jeos/secrets/NAME`. If one is missing or
wrong, nothing is written but why (`/run/jeos/properties.failed`), and the unit fails.
"""

import os
from collections.abc import Mapping, Sequence

from jeos.agent import ovf_environment
from jeos.agent.appliance import RUN, text, write
from jeos.model.properties import complaint, environment_name

SYSTEM_CREDENTIALS = "/run/credentials/@system"  # systemd.exec(5), "System Credentials"
PREFIX = "jeos.property."
ENVIRONMENT = "properties.env"
FAILED = "properties.failed"
SECRETS = "secrets"
SPECIAL = '"\\$`'  # what systemd and shells read in double quotes as something else


class Rule:
    """What the recipe demands of a property."""

    def __init__(self, said: Mapping[str, object]) -> None:
        choices, minimum, maximum = said.get("choices"), said.get("minimum"), said.get("maximum")
        default = said.get("default")
        self.name = text(said, "name", "")
        self.type = text(said, "type", "string")
        self.pattern = text(said, "pattern", "")
        self.choices = tuple(str(choice) for choice in choices) if isinstance(choices, list) else ()
        self.minimum = minimum if isinstance(minimum, int) else None
        self.maximum = maximum if isinstance(maximum, int) else None
        self.default = default if isinstance(default, str) else None
        self.required = said.get("required") is True
        self.secret = said.get("secret") is True


def settle(rules: Sequence[Rule], given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the values that hold, by property, and what is wrong; the words name no secret value."""
    values, faults = {}, []
    for rule in rules:
        value = given.get(rule.name, rule.default)
        if value is None:
            if rule.required:
                faults.append(f"the property {rule.name} is required and not set")
            continue
        wrong = complaint(rule, value)
        if "\0" in value and not rule.secret:
            wrong = wrong or "must not hold a zero byte"
        if wrong:
            shown = "the secret value" if rule.secret else repr(value)
            faults.append(f"the property {rule.name}: {shown} {wrong}")
        values[rule.name] = value
    return values, faults


def environment_line(name: str, value: str) -> str:
    """Return a line for an environment file."""
    quoted = "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in value)
    return f'{environment_name(name)}="{quoted}"\n'


def read_credentials(folder: str = SYSTEM_CREDENTIALS) -> dict[str, str]:
    """Return the properties among the system's credentials; a newline at the end of one is not part of it.

    Raises UnicodeDecodeError if one is not text.
    """
    found = {}
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in names:
        if name.startswith(PREFIX):
            with open(f"{folder}/{name}", encoding="utf-8", newline="") as file:
                found[name.removeprefix(PREFIX)] = file.read().removesuffix("\n")
    return found


def store(rules: Sequence[Rule], values: Mapping[str, str], *, folder: str = RUN) -> None:
    """Write the values, each where its kind belongs."""
    secrets = {rule.name for rule in rules if rule.secret}
    lines = [environment_line(name, value) for name, value in values.items() if name not in secrets]
    write(f"{folder}/{ENVIRONMENT}", "".join(lines), mode=0o640)
    os.makedirs(f"{folder}/{SECRETS}", mode=0o700, exist_ok=True)
    for name in secrets & values.keys():
        write(f"{folder}/{SECRETS}/{name}", values[name], mode=0o600)


def take(
    said: Sequence[Mapping[str, object]], *, credentials: str = SYSTEM_CREDENTIALS, folder: str = RUN
) -> list[str]:
    """Settle and store an appliance's properties; return what is wrong, which is written down too.

    One that the appliance does not know is let be: an update may have dropped it, and the operator may be behind.
    """
    rules = [Rule(each) for each in said]
    try:
        values, faults = settle(rules, {**ovf_environment.read(), **read_credentials(credentials)})
    except UnicodeDecodeError as error:
        values, faults = {}, [f"a property is not text in UTF-8: {error.reason}"]
    if faults:
        write(f"{folder}/{FAILED}", "".join(f"{fault}\n" for fault in faults))
        return faults
    store(rules, values, folder=folder)
    if os.path.exists(f"{folder}/{FAILED}"):
        os.unlink(f"{folder}/{FAILED}")
    return []

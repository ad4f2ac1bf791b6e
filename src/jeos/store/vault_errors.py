"""What can be wrong with a vault, beside the errors of all stores (`MissingObjectError`, `DamagedObjectError`)."""

from jeos.core.errors import StoreError

VERIFY = "`jeos backup verify` tells what else is; `--repair-from` mends it out of a copy"


class DamagedFileError(StoreError):
    """A file of the vault is not what was written, or not of this vault."""

    def __init__(self, name: str, *, where: str, reason: str) -> None:
        super().__init__(f"{name} in the vault {where} is damaged: {reason}", hint=VERIFY)
        self.name = name


class BrokenLeaseError(StoreError):
    """A writer was silent for so long that others took it for dead, and may have deleted what it counted on."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"this process stood still for so long that the vault {where} did not wait for it",
            hint="nothing incomplete was kept; run the command again, it goes on with what is there",
        )


class ReadOnlyVaultError(StoreError):
    """The vault is served by a web server, which takes nothing."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the vault {where} can only be read", hint="name the folder or bucket that is served there")

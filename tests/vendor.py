"""A vendor's channel in memory, signed with keys made here, which a test may bend in any way before it is served."""

import datetime
from collections.abc import Sequence

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from jeos.trust.client import Missing
from jeos.trust.trusted import S

NOW = 1_800_000_000.0  # 2027-01-15, seconds since the epoch
DAY = 86400
ROLES = (Root.type, Targets.type, Snapshot.type, Timestamp.type)


def date(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)


class Vendor:
    """Keys and metadata; `serve` is what the channel has, `asked` what a client asked for."""

    def __init__(self) -> None:
        self.signers: dict[str, list[Signer]] = {role: [CryptoSigner.generate_ed25519()] for role in ROLES}
        self.root = Root(version=1, expires=date(NOW + 700 * DAY), consistent_snapshot=True)
        for role, signers in self.signers.items():
            for signer in signers:
                self.root.add_key(signer.public_key, role)
        self.targets = Targets(version=1, expires=date(NOW + 300 * DAY))
        self.snapshot = Snapshot(version=1, expires=date(NOW + 30 * DAY))
        self.timestamp = Timestamp(version=1, expires=date(NOW + 30 * DAY))
        self.serve: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.first_root = self.sign(self.root)
        self.publish()

    def sign(self, signed: S, *, by: Sequence[Signer] | None = None) -> bytes:
        """Return metadata as signed by its own role's keys, or by others."""
        metadata = Metadata(signed)
        for signer in self.signers[signed.type] if by is None else by:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(JSONSerializer(compact=True))

    def offer(self, path: str, data: bytes, **custom: object) -> None:
        """Put a target into the list, and its file into the channel."""
        target = TargetFile.from_data(path, data, ["sha256"])
        target.unrecognized_fields["custom"] = custom
        self.targets.targets[path] = target
        folder, slash, name = path.rpartition("/")
        self.serve[f"targets/{folder}{slash}{target.hashes['sha256']}.{name}"] = data

    def publish(self) -> None:
        """Sign targets, snapshot and timestamp in their present versions."""
        self.put(self.targets)
        self.snapshot.meta["targets.json"] = self.meta(self.targets)
        self.publish_snapshot()

    def publish_snapshot(self) -> None:
        """Sign snapshot and timestamp in their present versions."""
        self.put(self.snapshot)
        self.timestamp.snapshot_meta = self.meta(self.snapshot)
        self.serve["metadata/timestamp.json"] = self.sign(self.timestamp)

    def next(self) -> None:
        """Publish the next version of all three."""
        for signed in (self.targets, self.snapshot, self.timestamp):
            signed.version += 1
        self.publish()

    def next_root(self, *, also: Sequence[Signer] = ()) -> None:
        """Publish the next version of the root, signed by the present root keys and others."""
        self.root.version += 1
        self.serve[f"metadata/{self.root.version}.root.json"] = self.sign(
            self.root, by=(*self.signers[Root.type], *also)
        )

    def new_key(self, role: str) -> list[Signer]:
        """Give a role a new key instead of its old ones, which are returned; the root is not published yet."""
        old = self.signers[role]
        self.signers[role] = [CryptoSigner.generate_ed25519()]
        for signer in old:
            self.root.revoke_key(signer.public_key.keyid, role)
        self.root.add_key(self.signers[role][0].public_key, role)
        return old

    def put(self, signed: S) -> None:
        """Serve versioned metadata."""
        self.serve[f"metadata/{signed.version}.{signed.type}.json"] = self.sign(signed)

    def meta(self, signed: S) -> MetaFile:
        """Return what another file says of this one."""
        data = self.serve[f"metadata/{signed.version}.{signed.type}.json"]
        return MetaFile.from_data(signed.version, data, ["sha256"])

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Answer a client, keeping its limit as a fetcher must."""
        self.asked.append(path)
        if path not in self.serve:
            raise Missing(f"no {path}")
        return self.serve[path][:limit]

"""Publications, publishers and appliances for tests of the catalogue. Import it only after Django has been set up."""

from collections.abc import Mapping

from jeos.model.image import Port
from jeos.model.publication import Download, Publication
from jeos.model.recipe import Property
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers, publishing
from jeos.server.catalogue.models import Appliance, Publisher

DATE = 1_790_000_000
PACKAGES = {"openssl": "3.5.1-1", "nginx": "1.26.3-3", "libssl3t64": "3.5.1-1 openssl"}


def bill(packages: Mapping[str, str] = PACKAGES, *, distribution: str = "debian-13") -> dict[str, object]:
    """Return a bill of materials of packages by name, as "VERSION" or "VERSION SOURCE"."""
    components = []
    for name, said in packages.items():
        version, _, source = said.partition(" ")
        upstream = f"&upstream={source}" if source else ""
        url = f"pkg:deb/debian/{name}@{version}?arch=amd64&distro={distribution}{upstream}"
        components.append({"type": "library", "name": name, "version": version, "purl": url})
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}


def publication(version: str = "1.0", **changed: object) -> Publication:
    """Return a publication of the appliance `web`."""
    values: dict[str, object] = {
        "name": "web",
        "version": version,
        "architecture": "amd64",
        "date": DATE,
        "title": "Web front",
        "summary": "A proxy",
        "description": "It *proxies*.",
        "licence": "MIT",
        "tags": ("web",),
        "changes": "- **new**",
        "root_hash": "a" * 64,
        "disk_size": 1 << 30,
        "memory": 512,
        "cpus": 1,
        "ports": (Port(80, name="http"),),
        "properties": (Property(name="domain", required=True),),
        "downloads": (Download("qcow2", f"https://files.example/web_{version}.qcow2", 1 << 20, "b" * 64),),
        "sbom": bill(),
    }
    return Publication(**{**values, **changed})  # type: ignore[arg-type]


def make_publisher(owner: Member, name: str = "acme") -> Publisher:
    """Make a publisher that a member owns."""
    return publishers.make(name, title=name.capitalize(), about="", home_page="", owner=owner)


def make_appliance(owner: Member, publisher: Publisher | None = None, *versions: str, **changed: object) -> Appliance:
    """Publish versions of an appliance, 1.0 if none is named; each has a root hash of its own."""
    publisher = publisher or Publisher.objects.filter(seats__member=owner).first() or make_publisher(owner)
    for number, version in enumerate(versions or ("1.0",)):
        one = publication(version, **{"date": DATE + number * 86_400, **changed})
        done = publishing.publish(one, publisher=publisher, by=owner)
    appliance = done.version.appliance
    appliance.refresh_from_db()
    return appliance

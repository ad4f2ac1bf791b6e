"""The bill of materials of an appliance, as CycloneDX 1.6: its packages, where they come from, what needs what.

Deterministic: the serial number and the time come from the lock, never from the clock.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import jeos
from jeos.build import dpkg_status
from jeos.model import deb822, debian_releases
from jeos.model.lock import Lock, LockedPackage
from jeos.model.recipe import Recipe

if TYPE_CHECKING:
    from cyclonedx.model.component import Component


@dataclass(frozen=True, slots=True)
class ExtraComponent:
    """A part that is no package of the lock: a local .deb or a Python wheel."""

    name: str
    version: str
    sha256: str
    kind: str  # the purl type: "deb" or "pypi"


def package_url(package: LockedPackage, *, suite: str) -> str:
    """Return a package's URL: pkg:deb/debian/openssl@3.5.1-1?arch=amd64&distro=debian-13."""
    from packageurl import PackageURL

    qualifiers = {"arch": package.architecture, "distro": debian_releases.distribution(suite)}
    source, _, version = package.source.partition(" ")
    if source and (source, version or package.version) != (package.name, package.version):
        qualifiers["upstream"] = source if version in ("", package.version) else f"{source}@{version}"
    vendor = "debian" if package.repository.startswith("debian") else package.repository
    return PackageURL("deb", vendor, package.name, package.version, qualifiers).to_string()


def make(
    recipe: Recipe,
    lock: Lock,
    *,
    stanzas: Mapping[str, str] | None = None,
    extras: Iterable[ExtraComponent] = (),
) -> bytes:
    """Return the bill of materials as JSON.

    `stanzas` are dpkg's entries by package, from which descriptions and dependencies are read; `extras` are parts
    that no repository has.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.output.json import JsonV1Dot6

    appliance = Component(
        name=recipe.name,
        version=recipe.version,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=BomRef(f"appliance:{recipe.name}@{recipe.version}"),
        description=recipe.summary or None,
        supplier=OrganizationalEntity(name=recipe.vendor) if recipe.vendor else None,
    )
    tool = Component(name="jeos", version=jeos.__version__, type=ComponentType.APPLICATION, bom_ref=BomRef("tool:jeos"))
    details = {name: deb822.fields(stanza) for name, stanza in (stanzas or {}).items()}
    components = {package.name: _component(package, lock, details.get(package.name, {})) for package in lock.packages}
    for extra in extras:
        components[f"{extra.kind}:{extra.name}"] = _extra(extra)
    bom = Bom(
        serial_number=uuid.UUID(bytes=_fingerprint(recipe, lock, extras)[:16], version=4),
        metadata=BomMetaData(component=appliance, timestamp=datetime.fromtimestamp(lock.date, tz=UTC), tools=None),
        components=components.values(),
    )
    bom.metadata.tools.components.add(tool)
    bom.register_dependency(appliance, list(components.values()))
    for name, needed in _needs(details, known=components).items():
        bom.register_dependency(components[name], [components[other] for other in needed])
    return (JsonV1Dot6(bom).output_as_string(indent=1) + "\n").encode()


def _fingerprint(recipe: Recipe, lock: Lock, extras: Iterable[ExtraComponent]) -> bytes:
    digest = sha256(f"{recipe.name}\0{recipe.version}\0{lock.inputs}".encode())
    for package in lock.packages:
        digest.update(package.sha256.encode())
    for extra in extras:
        digest.update(extra.sha256.encode())
    return digest.digest()


def _component(package: LockedPackage, lock: Lock, values: Mapping[str, str]) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    url = package_url(package, suite=lock.suite)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=BomRef(url),
        purl=PackageURL.from_string(url),
        description=values.get("description", "").partition("\n")[0] or None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)],
        properties=[Property(name="jeos:role", value=package.role.value)],
    )


def _extra(extra: ExtraComponent) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    url = PackageURL(extra.kind, None, extra.name, extra.version)
    return Component(
        name=extra.name,
        version=extra.version,
        type=ComponentType.LIBRARY,
        bom_ref=BomRef(url.to_string()),
        purl=url,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=extra.sha256)],
    )


def _needs(details: Mapping[str, Mapping[str, str]], *, known: Mapping[str, object]) -> dict[str, list[str]]:
    """Return which known packages each package depends on; of alternatives, the first that is there."""
    provider = {name: name for name in known}
    for name, values in sorted(details.items()):
        for virtual in dpkg_status.provided(values):
            provider.setdefault(virtual, name)
    found: dict[str, list[str]] = {}
    for name, values in details.items():
        if name not in known:
            continue
        chosen = {
            next((provider[choice] for choice in group if choice in provider), "")
            for group in dpkg_status.dependencies(values)
        }
        found[name] = sorted(chosen - {"", name})
    return found

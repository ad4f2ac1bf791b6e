"""The bill of materials: valid by CycloneDX's own schema, complete, and the same every time."""

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from jeos.build import dpkg_status, sbom
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.recipe import Recipe


def package(name: str, *, role: Role = Role.BASE, repository: str = "debian", source: str = "") -> LockedPackage:
    return LockedPackage(
        name=name,
        version="1:2.0-1",
        architecture="amd64",
        role=role,
        repository=repository,
        path=f"pool/{name}.deb",
        size=10,
        sha256="ab" * 32,
        source=source,
    )


RECIPE = Recipe(name="hello", version="1.0", vendor="Example", summary="Says hello")
LOCK = Lock(
    suite="trixie",
    architecture="amd64",
    inputs="cd" * 32,
    date=1_700_000_000,
    packages=(
        package("libc6", source="glibc 2.41"),
        package("nginx", role=Role.APP),
        package("own", repository="shop"),
    ),
)
STANZAS = {
    "nginx": "Package: nginx\nDepends: libc6 (>= 2.38), mail-agent | own\nDescription: web server\n more words",
    "own": "Package: own\nProvides: mail-agent (= 1)",
}


def test_sbom_is_valid_cyclonedx() -> None:
    text = sbom.make(RECIPE, LOCK, stanzas=STANZAS, extras=[sbom.ExtraComponent("flask", "3.0", "ef" * 32, "pypi")])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode()) is None


def test_sbom_names_packages_by_url_and_source() -> None:
    bom = json.loads(sbom.make(RECIPE, LOCK, stanzas=STANZAS))
    assert [part["purl"] for part in bom["components"]] == [
        "pkg:deb/debian/libc6@1:2.0-1?arch=amd64&distro=debian-13&upstream=glibc%402.41",
        "pkg:deb/debian/nginx@1:2.0-1?arch=amd64&distro=debian-13",
        "pkg:deb/shop/own@1:2.0-1?arch=amd64&distro=debian-13",
    ]
    nginx = bom["components"][1]
    assert (nginx["description"], nginx["hashes"]) == ("web server", [{"alg": "SHA-256", "content": "ab" * 32}])


def test_sbom_says_what_needs_what() -> None:
    bom = json.loads(sbom.make(RECIPE, LOCK, stanzas=STANZAS))
    needs = {item["ref"].partition("@")[0]: item.get("dependsOn", []) for item in bom["dependencies"]}
    assert [url.partition("@")[0] for url in needs["pkg:deb/debian/nginx"]] == [
        "pkg:deb/debian/libc6",
        "pkg:deb/shop/own",
    ]


def test_sbom_is_the_same_every_time() -> None:
    assert sbom.make(RECIPE, LOCK, stanzas=STANZAS) == sbom.make(RECIPE, LOCK, stanzas=STANZAS)


def test_dependencies_are_read_without_versions() -> None:
    assert dpkg_status.dependencies({"depends": "b (>= 1), c | d:any [amd64]"}) == [["b"], ["c", "d"]]

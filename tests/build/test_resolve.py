"""Resolving against a small archive of our own: what is chosen, and what is said about one that cannot be trusted."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from apt_repository import Archive, Handler, Key, Package, Server, made_key, serving, standard
from jeos.build import apt
from jeos.build.resolve import inputs, resolve, wanted_packages
from jeos.build.sources import repositories
from jeos.core.errors import InputError, JeosError, NetworkError, TrustError
from jeos.model.lock import Lock, Role
from jeos.model.recipe import FileRule, Kernel, Recipe, Repository, Update

APPLICATION = [
    Package("web", fields={"Depends": "libweb1, libc6", "Recommends": "web-doc", "Source": "web-src (2.0-1)"}),
    Package("libweb1"),
    Package("web-doc"),
    Package("mailer", fields={"Provides": "mail-transport-agent"}),
    Package("poster", fields={"Provides": "mail-transport-agent"}),
    Package("ca-certificates"),
]
ENCRYPTED = Update(channel="https://updates.example/x", root="root.json")


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with made_key() as key:
        yield key


@pytest.fixture(scope="module")
def stranger() -> Iterator[Key]:
    with made_key() as key:
        yield key


@pytest.fixture
def archive(tmp_path: Path, key: Key) -> Archive:
    archive = Archive(tmp_path / "mirror", key=key)
    archive.publish("trixie", [*standard(), *APPLICATION], date=1_700_000_000, valid=None)
    archive.publish("trixie-updates", [])
    archive.publish("trixie-security", [], date=1_700_000_500, valid=None)
    shutil.copy(key.public, tmp_path / "keyring.asc")
    return archive


@pytest.fixture
def server(archive: Archive) -> Iterator[Server]:
    with serving(archive.folder) as server:
        yield server


@pytest.fixture
def recipe(server: Server, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(apt, "TRIES", 0)
    return Recipe(name="x", version="1", mirror=server.url, security_mirror=server.url, keyring="keyring.asc")


def resolved(recipe: Recipe, folder: Path, *, keep: Lock | None = None) -> Lock:
    return resolve(recipe, folder=folder, cache=folder / "cache", keep=keep)


def names(lock: Lock, role: Role) -> list[str]:
    return [package.name for package in lock.having(role)]


def failure(recipe: Recipe, folder: Path) -> JeosError:
    with pytest.raises(JeosError) as caught:
        resolved(recipe, folder)
    return caught.value


def test_resolve_gives_each_package_its_role(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    lock = resolved(replace(recipe, packages=("web",)), tmp_path)
    base = "base-files dbus dpkg e2fsprogs kmod libc6 libpython3-stdlib login python3-minimal systemd systemd-sysv udev"
    assert {role: names(lock, role) for role in Role} == {
        Role.BASE: base.split(),
        Role.APP: ["libweb1", "web"],
        Role.KERNEL: ["linux-image-6.12.1-cloud-amd64"],
        Role.BOOT: ["systemd-boot-efi"],
        Role.INITRD: ["libluajit-5.1-2", "libluajit-5.1-common", "luajit"],
    }
    web = next(package for package in lock.packages if package.name == "web")
    data = (archive.folder / web.path).read_bytes()
    assert (web.repository, web.size, web.source) == ("debian", len(data), "web-src 2.0-1")


def test_channel_on_https_brings_certificates(recipe: Recipe, tmp_path: Path) -> None:
    encrypted = replace(recipe, update=ENCRYPTED)
    assert names(resolved(encrypted, tmp_path), Role.APP) == ["ca-certificates"]
    own = replace(encrypted, files=(FileRule("/etc/ssl/certs/ca-certificates.crt", source="own.pem"),))
    plain = replace(recipe, update=replace(ENCRYPTED, channel="http://updates.example/x"))
    excluded = replace(encrypted, exclude=("ca-certificates",))
    named = replace(encrypted, packages=("ca-certificates",))
    assert [wanted_packages(one) for one in (own, plain, excluded, named)] == [(), (), (), ("ca-certificates",)]
    assert inputs(plain, folder=tmp_path) == inputs(recipe, folder=tmp_path) != inputs(encrypted, folder=tmp_path)


def test_resolve_takes_the_newest_date_of_the_indexes(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    archive.publish("trixie-updates", [], date=1_650_000_000, valid=None)
    assert resolved(recipe, tmp_path).date == 1_700_000_500


def test_base_is_the_same_whatever_the_recipe_asks_for(recipe: Recipe, tmp_path: Path) -> None:
    one = resolved(recipe, tmp_path).having(Role.BASE)
    other = resolved(replace(recipe, packages=("web", "mailer")), tmp_path).having(Role.BASE)
    assert one == other


def test_security_update_is_taken_and_named(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    security = Archive(archive.folder / "security", key=archive.key)
    security.publish("trixie-security", [Package("web", "1.0-1+deb13u1", {"Depends": "libweb1"})])
    lock = resolved(replace(recipe, security_mirror=f"{recipe.mirror}/security", packages=("web",)), tmp_path)
    web = next(package for package in lock.packages if package.name == "web")
    assert (web.version, web.repository) == ("1.0-1+deb13u1", "debian-security")


def test_extra_repository_adds_packages_but_never_changes_the_base(
    recipe: Recipe, tmp_path: Path, stranger: Key
) -> None:
    vendor = Archive(tmp_path / "mirror" / "vendor", key=stranger)
    vendor.publish("stable", [Package("systemd", "9.0-1"), Package("tool", "3.0", {"Depends": "libweb1"})])
    shutil.copy(stranger.public, tmp_path / "vendor.key")
    extra = Repository(name="vendor", url=f"{recipe.mirror}/vendor", suite="stable", key="vendor.key")
    lock = resolved(replace(recipe, packages=("tool",), repositories=(extra,)), tmp_path)
    found = {package.name: (package.version, package.repository) for package in lock.packages}
    assert (found["systemd"], found["tool"], found["libweb1"]) == (
        ("1.0-1", "debian"),
        ("3.0", "vendor"),
        ("1.0-1", "debian"),
    )


def test_local_deb_brings_what_it_depends_on_and_is_not_locked(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "own.deb").write_bytes(Package("own", fields={"Depends": "libweb1"}).deb())
    lock = resolved(replace(recipe, debs=("own.deb",)), tmp_path)
    assert names(lock, Role.APP) == ["libweb1"]


def test_mirror_in_a_folder_is_read_without_a_server(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    there = f"file://{archive.folder}"
    lock = resolved(replace(recipe, mirror=there, security_mirror=there, packages=("web",)), tmp_path)
    assert names(lock, Role.APP) == ["libweb1", "web"]


def test_second_resolve_downloads_no_list_again(recipe: Recipe, tmp_path: Path, server: Server) -> None:
    resolved(recipe, tmp_path)
    server.requests.clear()
    resolved(recipe, tmp_path)
    assert [path for path, _ in server.requests if "Packages" in path] == []


def test_kept_versions_stay_where_the_archive_still_has_them(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    old = resolved(replace(recipe, packages=("web",)), tmp_path)
    newer = [Package("web", "2.0-1", {"Depends": "libweb1"}), Package("linux-image-6.12.2-cloud-amd64")]
    newer.append(Package("linux-image-cloud-amd64", "2.0", {"Depends": "linux-image-6.12.2-cloud-amd64 (= 1.0-1)"}))
    archive.publish("trixie", [*standard(), *APPLICATION, *newer])
    wider = replace(recipe, packages=("web", "mailer"))
    kept, fresh = resolved(wider, tmp_path, keep=old), resolved(wider, tmp_path)
    assert {package.name: package.version for package in kept.having(Role.APP)}["web"] == "1.0-1"
    assert {package.name: package.version for package in fresh.having(Role.APP)}["web"] == "2.0-1"
    assert names(kept, Role.KERNEL) == ["linux-image-6.12.1-cloud-amd64"]
    assert names(fresh, Role.KERNEL) == ["linux-image-6.12.2-cloud-amd64"]


def test_kept_version_that_left_the_archive_is_replaced(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    old = resolved(replace(recipe, packages=("libweb1",)), tmp_path)
    archive.publish("trixie", [*standard(), Package("libweb1", "1.1-1")])
    kept = resolved(replace(recipe, packages=("libweb1",)), tmp_path, keep=old)
    assert [package.version for package in kept.having(Role.APP)] == ["1.1-1"]


def test_unknown_package_names_the_nearest(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, packages=("libweb2",)), tmp_path)
    assert (type(error), error.message) == (InputError, "libweb2 in `packages` is no package of the suite trixie")
    assert error.hint.startswith("did you mean libweb1")


def test_virtual_package_names_who_provides_it(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, packages=("mail-transport-agent",)), tmp_path)
    assert error.message == "mail-transport-agent is not a package of its own"
    assert error.hint == "`packages` must name one that provides it: poster, mailer"


def test_excluded_package_that_is_needed_names_who_needs_it(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, packages=("web",), exclude=("libweb1",)), tmp_path)
    assert error.message == "libweb1 is left out by `exclude`, but web needs it"


def test_excluded_package_of_the_base_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, exclude=("udev",)), tmp_path)
    assert error.message == "udev cannot be left out: it is part of the base of every appliance"


def test_excluded_alternative_leaves_the_other_one(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    archive.publish("trixie", [*standard(), *APPLICATION, Package("choosy", fields={"Depends": "web | mailer"})])
    lock = resolved(replace(recipe, packages=("choosy",), exclude=("web",)), tmp_path)
    assert names(lock, Role.APP) == ["choosy", "mailer"]


def test_dependency_that_nobody_has_is_shown_in_apts_words(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    archive.publish("trixie", [*standard(), Package("broken", fields={"Depends": "nowhere (>= 2)"})])
    error = failure(replace(recipe, packages=("broken",)), tmp_path)
    assert error.message.startswith("the packages cannot be installed together\n")
    assert "nowhere" in error.message


def test_flavour_without_a_kernel_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, kernel=Kernel(flavour="generic")), tmp_path)
    assert error.message == "the suite trixie has no kernel of the flavour 'generic' (linux-image-amd64)"


def test_expired_index_is_refused(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    archive.publish("trixie-security", [], date=1_700_000_000, valid=3600)
    error = failure(recipe, tmp_path)
    assert isinstance(error, TrustError)
    assert error.message.endswith("ago: its Valid-Until has passed")


def test_expired_index_is_refused_though_an_older_run_had_it_valid(
    recipe: Recipe, tmp_path: Path, archive: Archive
) -> None:
    resolved(recipe, tmp_path)
    archive.publish("trixie-updates", [], date=1_700_000_000, valid=3600)
    assert isinstance(failure(recipe, tmp_path), TrustError)


def test_index_signed_by_a_stranger_is_refused(recipe: Recipe, tmp_path: Path, archive: Archive, stranger: Key) -> None:
    Archive(archive.folder, key=stranger).publish("trixie", standard())
    error = failure(recipe, tmp_path)
    assert isinstance(error, TrustError)
    assert "which the keyring does not have" in error.message
    assert (
        error.hint == "sudo apt-get install --only-upgrade debian-archive-keyring, or name the right file in `keyring`"
    )


def test_index_changed_after_it_was_signed_is_refused(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    path = archive.folder / "dists/trixie/InRelease"
    path.write_text(path.read_text().replace("Origin: Test", "Origin: Evil"))
    error = failure(recipe, tmp_path)
    assert isinstance(error, TrustError)
    assert error.message.startswith(f"the signature of the repository debian ({recipe.mirror}) does not hold")


def test_bad_signature_is_refused_though_an_older_run_had_a_good_one(
    recipe: Recipe, tmp_path: Path, archive: Archive
) -> None:
    resolved(recipe, tmp_path)
    path = archive.folder / "dists/trixie/InRelease"
    path.write_text(path.read_text().replace("Origin: Test", "Origin: Evil"))
    assert isinstance(failure(recipe, tmp_path), TrustError)


def test_unsigned_index_is_refused(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    archive.publish("trixie", standard(), sign=False)
    error = failure(recipe, tmp_path)
    assert isinstance(error, TrustError)
    assert "is not signed" in error.message


def test_index_that_is_not_the_signed_one_is_refused(recipe: Recipe, tmp_path: Path, archive: Archive) -> None:
    path = archive.folder / "dists/trixie/main/binary-amd64/Packages"
    path.write_text(path.read_text().replace("2000", "2001") + "\n")
    error = failure(recipe, tmp_path)
    assert isinstance(error, NetworkError)
    assert "sent an index that is not the one it signed" in error.message


def test_suite_that_the_mirror_lacks_is_named(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, suite="forky"), tmp_path)
    assert isinstance(error, NetworkError)
    assert error.message.startswith("the repository debian")
    assert "has no suite 'forky" in error.message


def test_mirror_that_cannot_be_reached_is_named(recipe: Recipe, tmp_path: Path) -> None:
    error = failure(replace(recipe, mirror="http://127.0.0.1:1/debian"), tmp_path)
    assert isinstance(error, NetworkError)
    assert error.message.startswith("the repository debian (http://127.0.0.1:1/debian) cannot be reached")


def test_password_of_a_private_mirror_is_asked_for_and_used(
    recipe: Recipe, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guarded(handler: Handler, data: bytes) -> None:
        if handler.headers.get("Authorization") == "Basic dXNlcjpwQHNz":
            handler.send_range(data)
        else:
            handler.answer(401, b"", {"WWW-Authenticate": "Basic"})

    server.behaviours["/"] = guarded
    error = failure(recipe, tmp_path)
    assert error.message.endswith("asks for a password, or does not take the one it got")
    (tmp_path / "credentials").write_text(f"machine {server.url} login user password p@ss\n")
    monkeypatch.setenv("JEOS_CREDENTIALS", str(tmp_path / "credentials"))
    assert "udev" in names(resolved(recipe, tmp_path), Role.BASE)


def test_apt_configuration_of_the_machine_does_not_reach_us(
    recipe: Recipe, tmp_path: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.conf"
    own.write_text(
        'Acquire::Check-Valid-Until "false";\nAPT::Update::Pre-Invoke { "touch %s"; };\n' % (tmp_path / "ran")
    )
    monkeypatch.setenv("APT_CONFIG", str(own))
    archive.publish("trixie-security", [], date=1_700_000_000, valid=3600)
    assert isinstance(failure(recipe, tmp_path), TrustError)
    assert not (tmp_path / "ran").exists()


def test_inputs_are_those_of_packages_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(b"one")
    start = inputs(recipe, folder=tmp_path)
    same = [replace(recipe, mirror="https://other.example/debian"), replace(recipe, version="2"), recipe]
    other = [
        replace(recipe, packages=("web",)),
        replace(recipe, exclude=("web",)),
        replace(recipe, suite="bookworm"),
        replace(recipe, components=("main", "contrib")),
        replace(recipe, kernel=Kernel(flavour="generic")),
        replace(recipe, debs=("a.deb",)),
        replace(recipe, repositories=(Repository(name="v", url="https://v.example", suite="s", key="k"),)),
    ]
    assert {inputs(one, folder=tmp_path) for one in same} == {start}
    assert len({start, *(inputs(one, folder=tmp_path) for one in other)}) == len(other) + 1


@pytest.mark.network
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
def test_base_of_debian_is_the_same_for_two_recipes(suite: str, tmp_path: Path) -> None:
    empty = Recipe(name="x", version="1", suite=suite)
    one, other = resolved(empty, tmp_path), resolved(replace(empty, packages=("openssh-server",)), tmp_path)
    assert one.having(Role.BASE) == other.having(Role.BASE)
    found = {package.name for package in one.packages}
    assert {"systemd", "udev", "dbus", "libpython3-stdlib", "luajit", "systemd-boot-efi"} <= found
    assert found.isdisjoint({"apt", "perl", "initramfs-tools", "usrmerge"})
    assert "openssh-server" in names(other, Role.APP)
    assert {package.repository for package in other.packages} <= {
        source.name for source in repositories(empty, folder=tmp_path)
    }

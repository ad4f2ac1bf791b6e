"""What packages and commands leave in a root must not lead the build, which works on it from outside, out of it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from jeos.build import boot, configure, data, dpkg_database, kernel
from jeos.build.compose import Composition
from jeos.build.sandbox import TIMEOUT, Sandbox
from jeos.core.errors import InputError
from jeos.core.run import Completed
from tiny_debs import make_unpacked

SECRET = "what only the host may read\n"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a folder beside the root that stands for the host."""
    folder = tmp_path / "host"
    (folder / "triggers").mkdir(parents=True)
    for name in ("secret", "passwd-", "machine-id", "status", "triggers/File", "linuxx64.efi.stub"):
        (folder / name).write_text(SECRET)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def untouched(host: Path) -> bool:
    files = [path for path in host.rglob("*") if path.is_file()]
    return len(files) == 6 and all(path.read_text() == SECRET for path in files)


def test_cleaning_behind_a_link_to_the_host_leaves_the_host_alone(host: Path, root: Path) -> None:
    (root / "etc").symlink_to(host)
    configure.clean(root)
    assert untouched(host)


def test_dpkgs_database_behind_a_link_to_the_host_is_written_in_the_root(host: Path, root: Path) -> None:
    (root / "var/lib").mkdir(parents=True)
    (root / "var/lib/dpkg").symlink_to(host)
    database = dpkg_database.Database(root)
    assert database.read("status") == ""
    database.write("triggers/File", "ours\n")
    assert database.read("triggers/File") == "ours\n"
    assert untouched(host)


def test_scripts_of_packages_behind_a_link_to_the_host_are_written_in_the_root(
    tmp_path: Path, host: Path, root: Path
) -> None:
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/info").symlink_to(host)
    package = make_unpacked(tmp_path, "one", files={"usr/one": "1"}, extra={"postinst": "#!/bin/sh\n"})
    dpkg_database.write_scripts([package], dpkg_database.Database(root))
    assert untouched(host)


def test_lists_of_owners_behind_a_link_to_the_host_are_not_read(tmp_path: Path, host: Path, root: Path) -> None:
    below = tmp_path / "below"
    (below / "var/lib/dpkg").mkdir(parents=True)
    (below / "usr").mkdir()
    (below / "usr/one").write_text("0")
    (host / "other.list").write_text("/usr/one\n")
    (below / "var/lib/dpkg/info").symlink_to(host)
    composition = Composition(into=root, below=[below])
    composition.refresh()
    composition.add(make_unpacked(tmp_path, "one", files={"usr/one": "1"}))
    assert (root / "usr/one").read_text() == "1"


def test_override_of_a_link_leaves_what_it_leads_to_alone(tmp_path: Path, host: Path, root: Path) -> None:
    (root / "var/lib/dpkg").mkdir(parents=True)
    override = f"#{os.getuid()} #{os.getgid()} 4777 /usr/link\n"
    (root / "var/lib/dpkg/statoverride").write_text(override)
    mode = (host / "secret").stat().st_mode
    composition = Composition(into=root)
    composition.refresh()
    composition.add(make_unpacked(tmp_path, "one", links={"usr/link": str(host / "secret")}))
    assert (root / "usr/link").is_symlink()
    assert (host / "secret").stat().st_mode == mode


class _Mke2fs(Sandbox):
    """A sandbox whose only program finds that a package has made something of its file's name already."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        network: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        check: bool = True,
        timeout: float = TIMEOUT,
    ) -> Completed:
        return Completed(status=0, stdout=b"", stderr=b"")


def test_data_is_not_copied_from_the_host(host: Path, root: Path, tmp_path: Path) -> None:
    (root / data.FILE).symlink_to(host / "secret")
    with pytest.raises(FileNotFoundError):  # mke2fs makes it where the link leads inside the root; this one did not
        data.make(root, sandbox=_Mke2fs(root), name="a", version="1", out=tmp_path / "out")


def test_data_is_not_copied_from_a_pipe(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / data.FILE)
    with pytest.raises(InputError) as caught:
        data.make(root, sandbox=_Mke2fs(root), name="a", version="1", out=tmp_path / "out")
    assert caught.value.message == f"a package made /{data.FILE} something else than a file"


def test_kernel_modules_behind_a_link_to_the_host_are_written_in_the_root(host: Path, root: Path) -> None:
    package = host.with_name("package")
    module = package / "usr/lib/modules/6/kernel/a.ko"
    module.parent.mkdir(parents=True)
    module.write_bytes(b"module")
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/modules").symlink_to(host)
    selected = kernel.Selected(release="6", modules={"a": module}, left_out={})
    kernel.install(selected, package=package, root=root)
    assert untouched(host)


def test_boot_loader_is_not_taken_from_the_host(host: Path, root: Path) -> None:
    (root / boot.STUB).parent.mkdir(parents=True)
    (root / boot.STUB).symlink_to(host / "linuxx64.efi.stub")
    with pytest.raises(InputError) as caught:
        boot.find_in([root], boot.STUB)
    assert caught.value.message == f"no locked package has {boot.STUB}"

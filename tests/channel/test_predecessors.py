import hashlib

from jeos.channel import predecessors
from jeos.model.tree import Entry, Kind

TEXT = " ".join(f"sentence-{number}" for number in range(300)).encode()


def files(contents: dict[str, bytes]) -> tuple[list[Entry], dict[str, bytes]]:
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    entries = [
        Entry(path=path, kind=Kind.FILE, size=len(data), digest=digests[path]) for path, data in contents.items()
    ]
    return entries, {digests[path]: data for path, data in contents.items()}


def found(old: dict[str, bytes], new: dict[str, bytes]) -> dict[str, str]:
    old_entries, old_data = files(old)
    new_entries, new_data = files(new)
    pairs = predecessors.find(
        new_entries,
        old=old_entries,
        kept=frozenset(new),
        read_old=old_data.__getitem__,
        read_new=new_data.__getitem__,
    )
    return {path: entry.path for path, entry in pairs.items()}


def test_same_path_comes_first() -> None:
    assert found({"a": b"x", "lib/6.1.0-1/a": TEXT}, {"a": TEXT}) == {"a": "a"}


def test_versions_in_paths_do_not_count() -> None:
    old = {"lib/modules/6.1.0-49-cloud/net/tun.ko": b"t" * 99, "lib/libssl.so.3.0.17": b"s"}
    new = {"lib/modules/6.1.0-56-cloud/net/tun.ko": b"u" * 90, "lib/libssl.so.3.0.20": b"z"}
    assert found(old, new) == dict(zip(new, old, strict=True))


def test_of_several_versions_the_nearest_size_is_taken() -> None:
    assert found({"lib-1": b"a" * 10, "lib-2": b"b" * 50}, {"lib-3": b"c" * 48}) == {"lib-3": "lib-2"}


def test_moved_files_are_found_by_name_and_renamed_ones_by_content() -> None:
    old = {"usr/bin/tool": b"\0", "etc/other.conf": b"nothing in common with it at all", "share/old-name": TEXT}
    new = {"usr/sbin/tool": b"\1", "share/fresh": TEXT + b" and more"}
    assert found(old, new) == {"usr/sbin/tool": "usr/bin/tool", "share/fresh": "share/old-name"}


def test_unlike_contents_have_no_predecessor() -> None:
    assert found({"gone": b"abcdefghij klmnopqrst"}, {"fresh": TEXT}) == {}

"""The instant of a running machine's disks, with a real QEMU that is written to through its devices."""

import asyncio
import contextlib
import random
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from jeos.backup import instant
from jeos.backup.instant import Instant
from jeos.core.errors import MachineError, NetworkError
from jeos.disk.nbd_client import Nbd
from jeos.vm import fleece
from jeos.vm.fleece import Exported, Fleece, fleeced
from qemu_disks import Qemu, make_disk, qemu_with_disks

MEBIBYTE, CHUNK = 1 << 20, 64 << 10


@contextlib.asynccontextmanager
async def quiet() -> AsyncIterator[None]:
    yield


class Bench:
    """A machine with two disks, the first over an image, and what they should hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = {"disk": folder / "disk.qcow2", "disk1": folder / "disk1.qcow2"}
        self.content = {"disk": bytearray(16 * MEBIBYTE), "disk1": bytearray(64 * MEBIBYTE)}
        base = folder / "base.raw"
        self.content["disk"][MEBIBYTE : 3 * MEBIBYTE] = random.Random(3).randbytes(2 * MEBIBYTE)
        base.write_bytes(self.content["disk"][: 8 * MEBIBYTE])
        make_disk(self.images["disk"], base=base)
        make_disk(self.images["disk1"], size="64M")

    async def write(self, qemu: Qemu, node: str, value: int, offset: int, length: int) -> None:
        await qemu.write(node, f"-P {value} {offset} {length}")
        self.content[node][offset : offset + length] = bytes([value]) * length

    def as_now(self) -> dict[str, bytes]:
        return {node: bytes(content) for node, content in self.content.items()}

    @contextlib.asynccontextmanager
    async def fleeced(self, qemu: Qemu, mark: str, since: str = "") -> AsyncIterator[Fleece]:
        socket = self.folder / "backup.sock"
        async with fleeced(qemu, folder=self.folder, socket=socket, mark=mark, since=since, quiet=quiet) as found:
            yield found

    async def read(self, fleece: Fleece, before: dict[str, bytes] | None = None) -> dict[str, bytes]:
        """Return the disks of the instant: all of each, or what has changed laid over how they were `before`."""

        def work() -> dict[str, bytes]:
            found = {}
            for exported in fleece.disks:
                with Instant(self.folder / "backup.sock", exported) as disk:
                    changed = disk.changed()
                    whole = (
                        bytearray(before[exported.export]) if before and changed is not None else bytearray(disk.size)
                    )
                    for start, end in changed if changed is not None else disk.data(0, disk.size):
                        whole[start:end] = disk.read(start, end - start)
                    found[exported.export] = bytes(whole)
            return found

        return await asyncio.to_thread(work)

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(("disk", "base")))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for image in made.images.values():
        subprocess.run(["qemu-img", "check", "-q", image], check=True)
    assert made.left() == []


def test_instant_is_what_the_disks_were_whatever_is_written_meanwhile(bench: Bench) -> None:
    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            await bench.write(qemu, "disk", 1, 0, CHUNK)
            await bench.write(qemu, "disk1", 2, 5 * MEBIBYTE, 3 * CHUNK)
            nodes = await qemu.nodes()
            expected = bench.as_now()
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                assert [each.reason for each in fleece.disks] == ["there is no earlier point"] * 2
                await bench.write(qemu, "disk", 9, 1000, 100)
                await bench.write(qemu, "disk", 9, 2 * MEBIBYTE, MEBIBYTE)
                await bench.write(qemu, "disk", 9, 12 * MEBIBYTE, CHUNK)
                await bench.write(qemu, "disk1", 9, 5 * MEBIBYTE, CHUNK)
                assert await bench.read(fleece) == expected
                assert (
                    await qemu.io((await qemu.devices())[1].device, f"discard {5 * MEBIBYTE} {CHUNK * 3}") is not None
                )
                assert await bench.read(fleece) == expected
            assert await qemu.nodes() == nodes

    asyncio.run(scenario())


def test_reader_that_stood_still_while_it_connected_connects_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU hangs up on it after ten seconds; here the line is cut in the middle of the first negotiation."""
    cut: list[str] = []

    class Once(Nbd):
        def _negotiate(self, contexts: Sequence[str]) -> None:
            if not cut:
                cut.append(self.export)
                self._socket.shutdown(socket.SHUT_RDWR)
            super()._negotiate(contexts)

    monkeypatch.setattr(instant, "Nbd", Once)

    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            await bench.write(qemu, "disk", 1, 0, MEBIBYTE)
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                assert await bench.read(fleece) == bench.as_now()

    asyncio.run(scenario())
    assert cut == ["disk"]


def test_zeros_of_a_sparse_disk_over_an_image_are_not_read(bench: Bench) -> None:
    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu, bench.fleeced(qemu, "jeos-v-1") as fleece:
            await bench.write(qemu, "disk", 9, 10 * MEBIBYTE, CHUNK)

            def ranges() -> list[tuple[int, int]]:
                with Instant(bench.folder / "backup.sock", fleece.disks[0]) as disk:
                    return list(disk.data(0, disk.size))

            found = await asyncio.to_thread(ranges)
            assert sum(end - start for start, end in found) <= 8 * MEBIBYTE + CHUNK
            assert all(end <= 8 * MEBIBYTE or start >= 10 * MEBIBYTE for start, end in found)

    asyncio.run(scenario())


def test_bitmap_holds_exactly_what_changed_since_a_kept_point(bench: Bench) -> None:
    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            await bench.write(qemu, "disk", 1, 0, CHUNK)
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                first = bench.as_now()
                await bench.write(qemu, "disk", 2, 7 * CHUNK, 10)
                fleece.keep = True
            await bench.write(qemu, "disk1", 3, MEBIBYTE, CHUNK)
            second = bench.as_now()
            async with bench.fleeced(qemu, "jeos-v-2", "jeos-v-1") as fleece:
                assert fleece.disks == (
                    Exported("disk", 16 * MEBIBYTE, bitmap="jeos-v-1"),
                    Exported("disk1", 64 * MEBIBYTE, bitmap="jeos-v-1"),
                )

                def changed() -> list[object]:
                    found: list[object] = []
                    for exported in fleece.disks:
                        with Instant(bench.folder / "backup.sock", exported) as disk:
                            found.append(disk.changed())
                    return found

                assert await asyncio.to_thread(changed) == [[(7 * CHUNK, 8 * CHUNK)], [(MEBIBYTE, MEBIBYTE + CHUNK)]]
                await bench.write(qemu, "disk", 4, 7 * CHUNK, CHUNK)
                assert await bench.read(fleece, before=first) == second
                fleece.keep = True
            assert await qemu.bitmaps() == {"disk": [("jeos-v-2", True, CHUNK)], "disk1": [("jeos-v-2", True, 0)]}

    asyncio.run(scenario())


def test_backup_that_is_given_up_leaves_the_record_as_it_was(bench: Bench) -> None:
    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                fleece.keep = True
            await bench.write(qemu, "disk", 1, 0, 10)
            async with bench.fleeced(qemu, "jeos-v-2", "jeos-v-1"):
                await bench.write(qemu, "disk", 1, 5 * CHUNK, 10)
            assert await qemu.bitmaps() == {"disk": [("jeos-v-1", True, 2 * CHUNK)], "disk1": [("jeos-v-1", True, 0)]}
            async with bench.fleeced(qemu, "jeos-v-3"):  # one that reads everything
                await bench.write(qemu, "disk1", 1, 0, 10)
            assert await qemu.bitmaps() == {
                "disk": [("jeos-v-1", True, 2 * CHUNK)],
                "disk1": [("jeos-v-1", True, CHUNK)],
            }

    asyncio.run(scenario())


COMMANDS = (
    *("blockdev-add", "query-status", "transaction", "qom-set", "nbd-server-start", "block-export-add"),
    *("query-block", "stop", "cont"),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("skip", [0, 1, 3, 5])
def test_failure_of_any_step_takes_all_steps_back(command: str, skip: int, bench: Bench) -> None:
    class Later(Qemu):
        """Refuses a command after it was executed a few times."""

        times = 0

        async def execute(self, command_: str, arguments: dict[str, object] | None = None) -> object:
            if command_ == command and self.fails_at:
                self.times += 1
                if self.times > skip:
                    self.fails_at = ""
                    return await self.qmp.execute("jeos-has-no-such-command")
            return await self.qmp.execute(command_, arguments)

    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                fleece.keep = True
            await qemu.qmp.execute("cont")
            nodes, bitmaps = await qemu.nodes(), await qemu.bitmaps()
            failing = Later(qemu.qmp, qemu.process)
            failing.fails_at = command
            reached = False
            try:
                async with bench.fleeced(failing, "jeos-v-2", "jeos-v-1"):
                    reached = True
            except MachineError:
                assert not failing.fails_at
            assert reached == bool(failing.fails_at) or not failing.fails_at
            if reached:  # it failed on the way back, or not at all
                return
            assert await qemu.nodes() == nodes
            assert await qemu.bitmaps() == bitmaps
            if command != "cont":
                assert (await qemu.qmp.execute("query-status"))["running"]  # type: ignore[index]

    asyncio.run(scenario())


@pytest.mark.root
def test_full_scratch_breaks_the_backup_and_not_the_guest(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    small = tmp_path_factory.mktemp("small")

    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            await bench.write(qemu, "disk", 1, 0, 4 * MEBIBYTE)
            socket = bench.folder / "backup.sock"
            arguments = {"folder": small, "socket": socket, "mark": "jeos-v-1", "since": "", "quiet": quiet}
            async with fleeced(qemu, **arguments) as fleece:  # type: ignore[arg-type]
                await bench.write(qemu, "disk", 5, 0, 2 * MEBIBYTE)
                with pytest.raises(NetworkError):
                    await bench.read(fleece)
                await bench.write(qemu, "disk", 6, 2 * MEBIBYTE, MEBIBYTE)
            async with bench.fleeced(qemu, "jeos-v-2") as fleece:
                assert await bench.read(fleece) == bench.as_now()

    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", small], check=True)
    try:
        asyncio.run(scenario())
    finally:
        subprocess.run(["umount", small], check=True)


class Slow(Qemu):
    """QEMU with a scratch disk to which next to nothing can be written."""

    async def execute(self, command: str, arguments: dict[str, object] | None = None) -> object:
        if command == "blockdev-add" and arguments and str(arguments["node-name"]).startswith("jeos-scratch-"):
            name = arguments["node-name"]
            group: dict[str, object] = {"qom-type": "throttle-group", "id": name, "limits": {"bps-write": 1024}}
            await super().execute("object-add", group)
            below = {key: value for key, value in arguments.items() if key != "node-name"}
            arguments = {"node-name": name, "driver": "throttle", "throttle-group": name, "file": below}
        return await super().execute(command, arguments)


def test_scratch_that_slows_to_nothing_breaks_the_backup_and_not_the_guest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleece, "COPY_SECONDS", 1)

    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            await bench.write(qemu, "disk", 1, 0, 4 * MEBIBYTE)
            async with bench.fleeced(Slow(qemu.qmp, qemu.process), "jeos-v-1") as fleeced:
                await bench.write(qemu, "disk", 5, 0, 2 * MEBIBYTE)  # half an hour's work for the scratch disk
                with pytest.raises(NetworkError):
                    await bench.read(fleeced)
                await bench.write(qemu, "disk", 6, 2 * MEBIBYTE, MEBIBYTE)
            async with bench.fleeced(qemu, "jeos-v-2") as fleeced:
                assert await bench.read(fleeced) == bench.as_now()

    asyncio.run(scenario())


def reasons(fleece: Fleece) -> list[str]:
    return [exported.reason for exported in fleece.disks]


async def restart(bench: Bench, between: Callable[[Qemu], object]) -> list[str]:
    """Take a point, end QEMU somehow, start it again, and return why each disk must be read whole."""
    with contextlib.suppress(Exception):
        async with qemu_with_disks(bench.images) as qemu:
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                fleece.keep = True
            await bench.write(qemu, "disk", 1, 3 * CHUNK, 10)
            await qemu.io((await qemu.devices())[0].device, "flush")
            between(qemu)
    async with qemu_with_disks(bench.images) as qemu:
        async with bench.fleeced(qemu, "jeos-v-2", "jeos-v-1") as fleece:
            assert await bench.read(fleece, before=bench.as_now()) == bench.as_now()
            found = reasons(fleece)
            fleece.keep = True
        assert set(await qemu.bitmaps()) == {"disk", "disk1"}
        assert [name for each in (await qemu.bitmaps()).values() for name, *_ in each] == ["jeos-v-2", "jeos-v-2"]
        return found


def test_record_outlives_a_restart_in_order(bench: Bench) -> None:
    assert asyncio.run(restart(bench, lambda qemu: None)) == ["", ""]


def kill(qemu: Qemu) -> None:
    qemu.process.kill()
    qemu.process.wait()


def test_record_of_a_killed_qemu_is_gone(bench: Bench) -> None:
    assert asyncio.run(restart(bench, kill)) == ["no record of changes was kept since the last point"] * 2


def test_record_that_a_killed_qemu_had_loaded_is_not_trusted(bench: Bench) -> None:
    async def scenario() -> list[str]:
        async with qemu_with_disks(bench.images) as qemu, bench.fleeced(qemu, "jeos-v-1") as fleece:
            fleece.keep = True
        with contextlib.suppress(Exception):
            async with qemu_with_disks(bench.images) as qemu:
                await bench.write(qemu, "disk", 1, 3 * CHUNK, 10)
                kill(qemu)
        async with qemu_with_disks(bench.images) as qemu, bench.fleeced(qemu, "jeos-v-2", "jeos-v-1") as fleece:
            return reasons(fleece)

    assert asyncio.run(scenario()) == ["the record of changes is not whole, because QEMU was killed"] * 2


def test_record_of_another_point_is_not_trusted(bench: Bench) -> None:
    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            async with bench.fleeced(qemu, "jeos-v-1") as fleece:
                fleece.keep = True
            async with bench.fleeced(qemu, "jeos-v-3", "jeos-v-2") as fleece:
                assert reasons(fleece) == ["no record of changes was kept since the last point"] * 2
            with pytest.raises(MachineError, match="cannot be the name"):
                async with bench.fleeced(qemu, "mine"):
                    pass

    asyncio.run(scenario())


def test_vaults_keep_records_of_their_own(bench: Bench) -> None:
    async def scenario() -> None:
        async with qemu_with_disks(bench.images) as qemu:
            for mark in ("jeos-v-1", "jeos-w-1", "jeos-v-2"):
                async with bench.fleeced(qemu, mark) as fleece:
                    fleece.keep = True
            assert (await qemu.bitmaps())["disk"] == [("jeos-v-2", True, 0), ("jeos-w-1", True, 0)]

    asyncio.run(scenario())

"""What a supervisor loads, in a process of its own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from jeos.vm import without_tls
without_tls.leave_out()
import asyncio
from jeos.vm.qemu_watch import QemuWatch
async def echo():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
    server = await asyncio.start_unix_server(answer, sys.argv[1])
    reader, writer = await asyncio.open_unix_connection(sys.argv[1])
    writer.write(b"words\\n")
    print((await reader.readline()).decode(), end="")
asyncio.run(echo())
print("libssl" in open("/proc/self/maps").read())
"""


def test_supervisor_has_its_sockets_without_tls(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, f"{tmp_path}/socket"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("words\nFalse\n", "")

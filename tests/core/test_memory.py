"""What the C library does with freed buffers."""

import resource
import subprocess
import sys

CODE = """
import resource, sys
from jeos.core import memory
if sys.argv[1] == "keep":
    memory.keep_freed(4 << 20)
for _ in range(200):
    bytearray(1 << 20)  # cleared by calloc: only what comes fresh from the kernel is a page fault
    (b"x" * (1 << 20)).upper()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", CODE, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


def test_freed_buffers_are_reused_and_not_cleared_by_the_kernel_again() -> None:
    pages = (1 << 20) // resource.getpagesize()
    assert faults("keep") < faults("ask") - 100 * pages

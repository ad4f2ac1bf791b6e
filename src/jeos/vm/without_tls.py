"""A process without OpenSSL, whose sockets all lead to this host: its memory is that of one machine, each time.

    leave_out()             # before asyncio is imported, in a process that will never need TLS

asyncio is made to do without (Python may be built so), and qemu.qmp only names a type of it, for what it is not given.
"""

import sys
from types import ModuleType


def leave_out() -> None:
    """Let asyncio load as in a Python that was built without TLS; no effect where TLS was loaded already."""
    if "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # which lets `import ssl` fail
    import asyncio  # noqa: F401 - it is to be loaded just now

    stand_in = ModuleType("ssl", "TLS is left out of this process.")
    stand_in.SSLContext = type(None)  # type: ignore[attr-defined]
    sys.modules["ssl"] = stand_in

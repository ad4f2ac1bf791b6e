"""What of jeos is put into an image: the agent, its units, and the parts of Python that it needs.

items = agent_files(properties=bool(recipe.properties))   # put into the root, then:
sandbox.run(COMPILE)                                       # because a read-only system cannot keep bytecode
facts = Facts(python_modules=python_modules(), …)          # so that slimming leaves what the agent imports
"""

from collections.abc import Iterator

from jeos.build import guest_modules
from jeos.build.guest_modules import AGENT
from jeos.build.items import Item, link, text
from jeos.trust import shipped

PYTHON = "usr/lib/jeos/python"  # the only place that the agent's Python looks for modules, beside the standard library
UNITS = "usr/lib/systemd/system"
COMMAND = "usr/bin/jeos-agent"

# Each unit, and what wants it at boot.
WANTED = {"jeos-agent.service": "sysinit.target"}
PROPERTIES = {"jeos-properties.service": "sysinit.target"}
UPDATES = {
    "jeos-begin.service": "sysinit.target",
    "jeos-confirm.service": "sysinit.target",
    "jeos-update.timer": "timers.target",
}
STARTED = ("jeos-update.service",)  # by the timer

COMPILE = ("python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"/{PYTHON}")

# What the agent imports of the standard library, of Python 3.11 to 3.13, and what these import; a test traces it. A
# name is a module, or a package with all that is in it. The compiled ones are part of Debian's /usr/bin/python3.
STANDARD_LIBRARY = (
    "_collections_abc",
    "abc",
    "codecs",
    "collections",
    "contextlib",
    "copyreg",
    "encodings/__init__",
    "encodings/aliases",
    "encodings/ascii",
    "encodings/latin_1",
    "encodings/utf_8",
    "enum",
    "functools",
    "genericpath",
    "io",
    "json",
    "keyword",
    "operator",
    "os",
    "posixpath",
    "re",
    "reprlib",
    "selectors",
    "signal",
    "socket",
    "stat",
    "struct",
    "types",
    "typing",
    "warnings",
)
# Python finds its library by os.py and by this folder, and complains at each start if there is nothing in it; Debian 13
# has the first of the two in the program itself.
LANDMARKS = ("lib-dynload/_json.*", "lib-dynload/_hashlib.*")
# Where an appliance asks itself over https, or can be told to look for updates there. Left out of the others: the
# libraries have 7 MB, of which updates need the larger one anyway.
TLS_LIBRARY = ("base64", "ssl")
# What updates import beyond the agent and the check of signed metadata, and what these import.
UPDATE_LIBRARY = (
    *shipped.STANDARD_LIBRARY,
    "calendar",
    "email",
    "encodings/idna",
    "encodings/utf_16_le",
    "http/__init__",
    "http/client",
    "platform",
    "quopri",
    "stringprep",
    "tomllib",
    "uuid",
)
UPDATE_COMPILED = tuple(f"lib-dynload/{name}.*" for name in (*shipped.COMPILED, "_blake2", "_uuid"))

# A system that hangs starts again, if the machine has a watchdog: a release on trial then uses up a start.
WATCHDOG = """\
# Written by jeos.
[Manager]
RuntimeWatchdogSec=60s
"""


def agent_files(*, properties: bool = True, updates: bool = False) -> tuple[Item, ...]:
    """Return everything of ours that an image has: modules, the command `jeos-agent`, and units with what wants them.

    Without `properties` (the recipe has none), nothing is started to take them; without `updates`, the image is one
    that stays as it is. Run COMPILE in the root afterwards.
    """
    return (
        *_modules(updates=updates),
        text(COMMAND, (AGENT / "jeos-agent.py.in").read_text(), mode=0o755),
        *_units({**WANTED, **(PROPERTIES if properties else {}), **(UPDATES if updates else {})}),
        *([text("usr/lib/systemd/system.conf.d/jeos-update.conf", WATCHDOG)] if updates else []),
        *(text(f"{UNITS}/{name}", (AGENT / "units" / name).read_text()) for name in STARTED if updates),
    )


def python_modules(*, tls: bool = False, updates: bool = False) -> tuple[str, ...]:
    """Return the paths below `usr/lib/python3.*` that the agent needs; with `tls`, those to ask over https too.

    With `updates`, those that an image needs to update itself, over https too, whatever its recipe's channel is: an
    operator may name another one.

    A module is a file and its bytecode, a package a folder: each name stands for all three.
    """
    tls = tls or updates
    names = (*STANDARD_LIBRARY, *(TLS_LIBRARY if tls else ()), *(UPDATE_LIBRARY if updates else ()))
    compiled = (*LANDMARKS, *(("lib-dynload/_ssl.*",) if tls else ()), *(UPDATE_COMPILED if updates else ()))
    return (*(pattern for name in names for pattern in _patterns(name)), *compiled)


def _patterns(name: str) -> tuple[str, str, str]:
    folder, slash, module = name.rpartition("/")
    return f"{name}.py", f"{folder}{slash}__pycache__/{module}.cpython-*.pyc", name


def _modules(*, updates: bool) -> Iterator[Item]:
    for name, path in guest_modules.modules(updates=updates).items():
        yield text(f"{PYTHON}/{name}", path.read_text())


def _units(wanted: dict[str, str]) -> Iterator[Item]:
    for name, target in wanted.items():
        yield text(f"{UNITS}/{name}", (AGENT / "units" / name).read_text())
        yield link(f"{UNITS}/{target}.wants/{name}", f"../{name}")

"""What of jeos is put into an image: the agent, its units, and the parts of Python that it needs.

items = agent_files(properties=bool(recipe.properties))   # put into the root, then:
sandbox.run(COMPILE)                                       # because a read-only system cannot keep bytecode
facts = Facts(python_modules=python_modules(), …)          # so that slimming leaves what the agent imports
"""

from collections.abc import Iterator
from pathlib import Path

import jeos
from jeos.build.items import Item, link, text

PACKAGE = Path(jeos.__file__).parent
AGENT = PACKAGE / "agent"
PYTHON = "usr/lib/jeos/python"  # the only place that the agent's Python looks for modules, beside the standard library
UNITS = "usr/lib/systemd/system"
COMMAND = "usr/bin/jeos-agent"
MODULES = ("__init__.py", "model/__init__.py", "model/frames.py", "model/properties.py")  # beside all of jeos.agent

# Each unit, and what wants it at boot.
WANTED = {"jeos-agent.service": "sysinit.target"}
PROPERTIES = {"jeos-properties.service": "sysinit.target"}

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
# Where an appliance asks itself over https. Left out of the others: the library alone has 5 MB.
TLS_LIBRARY = ("base64", "ssl")


def agent_files(*, properties: bool = True) -> tuple[Item, ...]:
    """Return everything of ours that an image has: modules, the command `jeos-agent`, and units with what wants them.

    Without `properties` (the recipe has none), nothing is started to take them. Run COMPILE in the root afterwards.
    """
    return (
        *_modules(),
        text(COMMAND, (AGENT / "jeos-agent.py.in").read_text(), mode=0o755),
        *_units({**WANTED, **(PROPERTIES if properties else {})}),
    )


def python_modules(*, tls: bool = False) -> tuple[str, ...]:
    """Return the paths below `usr/lib/python3.*` that the agent needs; with `tls`, those to ask over https too.

    A module is a file and its bytecode, a package a folder: each name stands for all three.
    """
    names = (*STANDARD_LIBRARY, *(TLS_LIBRARY if tls else ()))
    compiled = (*LANDMARKS, *(("lib-dynload/_ssl.*",) if tls else ()))
    return (*(pattern for name in names for pattern in _patterns(name)), *compiled)


def _patterns(name: str) -> tuple[str, str, str]:
    folder, slash, module = name.rpartition("/")
    return f"{name}.py", f"{folder}{slash}__pycache__/{module}.cpython-*.pyc", name


def _modules() -> Iterator[Item]:
    for path in [*(PACKAGE / name for name in MODULES), *sorted(AGENT.glob("*.py"))]:
        yield text(f"{PYTHON}/jeos/{path.relative_to(PACKAGE)}", path.read_text())


def _units(wanted: dict[str, str]) -> Iterator[Item]:
    for name, target in wanted.items():
        yield text(f"{UNITS}/{name}", (AGENT / "units" / name).read_text())
        yield link(f"{UNITS}/{target}.wants/{name}", f"../{name}")

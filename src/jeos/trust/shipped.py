"""What an appliance needs, beside our own modules, to check signed metadata: files of python-tuf, of Python, of Debian.

for name, path in third_party():
    …                              # "tuf/api/metadata.py", and where it is on this machine

All of it is pure Python as published, nothing cut. securesystemslib imports every kind of signer and its GPG code when
any part of it is imported; they do nothing here. A test runs the client with these files only, and traces its imports.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from jeos.core.errors import HostError

# Relative to where the packages are installed.
THIRD_PARTY = (
    "securesystemslib/__init__.py",
    "securesystemslib/_gpg/__init__.py",
    "securesystemslib/_gpg/common.py",
    "securesystemslib/_gpg/constants.py",
    "securesystemslib/_gpg/dsa.py",
    "securesystemslib/_gpg/eddsa.py",
    "securesystemslib/_gpg/exceptions.py",
    "securesystemslib/_gpg/functions.py",
    "securesystemslib/_gpg/handlers.py",
    "securesystemslib/_gpg/rsa.py",
    "securesystemslib/_gpg/util.py",
    "securesystemslib/_internal/utils.py",
    "securesystemslib/_vendor/__init__.py",
    "securesystemslib/_vendor/ed25519/__init__.py",
    "securesystemslib/_vendor/ed25519/ed25519.py",
    "securesystemslib/exceptions.py",
    "securesystemslib/formats.py",
    "securesystemslib/signer/__init__.py",
    "securesystemslib/signer/_aws_signer.py",
    "securesystemslib/signer/_azure_signer.py",
    "securesystemslib/signer/_constants.py",
    "securesystemslib/signer/_crypto_signer.py",
    "securesystemslib/signer/_gcp_signer.py",
    "securesystemslib/signer/_gpg_signer.py",
    "securesystemslib/signer/_hsm_signer.py",
    "securesystemslib/signer/_key.py",
    "securesystemslib/signer/_signature.py",
    "securesystemslib/signer/_signer.py",
    "securesystemslib/signer/_sigstore_signer.py",
    "securesystemslib/signer/_tkey_signer.py",
    "securesystemslib/signer/_utils.py",
    "securesystemslib/signer/_vault_signer.py",
    "securesystemslib/storage.py",
    "tuf/__init__.py",
    "tuf/api/__init__.py",
    "tuf/api/_payload.py",
    "tuf/api/exceptions.py",
    "tuf/api/metadata.py",
    "tuf/api/serialization/__init__.py",
    "tuf/api/serialization/json.py",
)

# Names as in build/guest.py, of Python 3.11 to 3.13: all that the client and these packages import. `shutil` tries bz2
# and lzma too, and does without. `ntpath` and `zipimport` are part of the program.
STANDARD_LIBRARY = (
    "__future__",
    "_collections_abc",
    "_colorize",
    "_opcode_metadata",
    "_strptime",
    "_weakrefset",
    "abc",
    "ast",
    "base64",
    "bisect",
    "calendar",
    "codecs",
    "collections",
    "contextlib",
    "copy",
    "copyreg",
    "ctypes/__init__",
    "ctypes/_endian",
    "dataclasses",
    "datetime",
    "dis",
    "encodings/__init__",
    "encodings/aliases",
    "encodings/utf_8",
    "enum",
    "fnmatch",
    "functools",
    "genericpath",
    "glob",
    "hashlib",
    "importlib/__init__",
    "importlib/_bootstrap",
    "importlib/_bootstrap_external",
    "importlib/machinery",
    "inspect",
    "io",
    "ipaddress",
    "json",
    "keyword",
    "linecache",
    "locale",
    "logging/__init__",
    "opcode",
    "operator",
    "os",
    "pathlib",
    "posixpath",
    "random",
    "re",
    "reprlib",
    "selectors",
    "shlex",
    "shutil",
    "signal",
    "stat",
    "string",
    "struct",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "token",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "urllib/__init__",
    "urllib/parse",
    "warnings",
    "weakref",
)
COMPILED = ("_ctypes", "_hashlib", "_json", "_opcode", "_typing")  # files in lib-dynload, where Python has them as such
LIBRARIES = ("libcrypto.so.3", "libffi.so.8")  # shared libraries, which slimming must leave


def third_party() -> Iterator[tuple[str, Path]]:
    """Return each file of THIRD_PARTY with where it is on this machine. Raises HostError if it is not installed."""
    for name in THIRD_PARTY:
        package = importlib.util.find_spec(name.partition("/")[0])
        path = Path(package.origin).parent.parent / name if package and package.origin else Path(name)
        if not path.is_file():
            raise HostError(
                f"{name} is not installed", hint="pip install tuf securesystemslib, as requirements/ has it"
            )
        yield name, path

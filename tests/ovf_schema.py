"""xmllint with the schemas that were written from OVF's specification."""

import subprocess
from pathlib import Path

SCHEMA = Path(__file__).parent / "disk/ovf_schema/envelope.xsd"


def complaints(text: bytes) -> str:
    """Return what xmllint finds wrong in a descriptor; "" if nothing is."""
    command = ["xmllint", "--noout", "--nonet", "--schema", str(SCHEMA), "-"]
    done = subprocess.run(command, input=text, capture_output=True)
    return "" if done.returncode == 0 else done.stderr.decode()

"""`jeos sbom`: the bill of materials of a built image."""

import argparse
import json
import sys
from pathlib import Path

from jeos.build import outputs
from jeos.cli import output

HELP = "print an image's bill of materials (CycloneDX 1.6)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos sbom`."""
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="recipe folder or image description")
    parser.add_argument("--list", action="store_true", help="print a table of packages instead of the JSON document")
    parser.add_argument("--json", action="store_true", help="print JSON (what happens anyway)")


def run(args: argparse.Namespace) -> int:
    """Print the bill of materials as it was built, or as a table."""
    built = outputs.find(args.path)
    text = built.sbom.read_text()
    if not args.list:
        sys.stdout.write(text)
        return 0
    components = json.loads(text)["components"]
    rows = [(part["name"], part["version"], part["purl"]) for part in components]
    output.table(rows, header=("package", "version", "package URL"))
    return 0

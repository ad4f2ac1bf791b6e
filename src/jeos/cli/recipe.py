"""`jeos recipe`: check a recipe, and print what recipes may say."""

import argparse
from pathlib import Path

from jeos.cli import output

HELP = "check a recipe, or print the reference or the JSON Schema of recipes"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="say everything that is wrong with a recipe")
    check.add_argument("folder", nargs="?", type=Path, default=Path(), help="the recipe's folder, or the recipe")
    check.add_argument("--json", action="store_true", help="print the recipe, as it is understood, as JSON")
    actions.add_parser("reference", help="print what each key of a recipe means")
    actions.add_parser("schema", help="print the JSON Schema of recipes")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if args.action == "check":
        from jeos.build.load import find, load

        recipe = load(args.folder)
        if args.json:
            output.as_json(recipe)
        else:
            output.line(f"{find(args.folder)}: {recipe.name} {recipe.version} is a sound recipe")
    elif args.action == "schema":
        from jeos.model import recipe_schema

        output.line(recipe_schema.as_text().rstrip())
    else:
        from jeos.model import recipe_reference

        output.line(recipe_reference.page().rstrip())
    return 0

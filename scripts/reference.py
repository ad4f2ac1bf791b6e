"""Write the pages of the reference that come from the code: verbs, errors, settings, recipes.

scripts/reference.py            writes docs/reference/{cli,errors,settings,recipe}.md and appliance.schema.json
"""

import argparse
import inspect
import os
import re
import sys
from pathlib import Path

from jeos.cli import main as command_line
from jeos.core import errors, settings
from jeos.model import recipe_reference, recipe_schema

ROOT = Path(__file__).parent.parent
NOTE = "<!-- Written by `make docs` from the code; edit the code instead. -->\n"


def cli_page() -> str:
    """Return the page of all verbs, with their help as the program prints it."""
    parts = [f"{NOTE}\n# Command line\n", *_verb("jeos", command_line.make_parser())]
    return "\n".join(parts) + "\n"


def _verb(name: str, parser: argparse.ArgumentParser) -> list[str]:
    parts = [
        f"## `{name}`\n" if " " not in name else f"### `{name}`\n",
        "```text",
        parser.format_help().rstrip(),
        "```\n",
    ]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, inner in action.choices.items():
                parts += _verb(f"{name} {verb}", inner)
    return parts


def errors_page() -> str:
    """Return the page of errors: the tree, and each class with its exit code."""
    classes = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.JeosError) and value.__module__ == errors.__name__
    ]
    rows = [
        f"| {kind.exit_code} | `{kind.__name__}` | {inspect.cleandoc(kind.__doc__ or '').splitlines()[0]} |"
        for kind in sorted(classes, key=lambda kind: kind.exit_code)
    ]
    more = ["| 130 | | interrupted (Ctrl-C or SIGTERM) |", "| 141 | | the reader of the output went away |"]
    head = "Each message is followed by a `hint:` that says what to do. Messages go to standard error."
    return (
        "\n".join(
            [
                f"{NOTE}\n# Errors and exit codes\n",
                head,
                "",
                "| exit | class | when |",
                "| --- | --- | --- |",
                *rows,
                *more,
            ]
        )
        + "\n"
    )


def settings_page() -> str:
    """Return the page of settings: the table that stands in the module."""
    return f"{NOTE}\n# Settings\n\n{_body(inspect.cleandoc(settings.__doc__ or ''))}\n"


def _body(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text)


def pages() -> dict[Path, str]:
    """Return the text of each generated page, by its path in the repository."""
    os.environ["COLUMNS"] = "100"  # argparse folds its help to the terminal
    folder = Path("docs/reference")
    return {
        folder / "cli.md": cli_page(),
        folder / "errors.md": errors_page(),
        folder / "settings.md": settings_page(),
        folder / "recipe.md": f"{NOTE}\n{recipe_reference.page()}",
        folder / "appliance.schema.json": recipe_schema.as_text(),
    }


def main() -> int:
    """Write the pages that changed, and say which."""
    for path, text in pages().items():
        target = ROOT / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            sys.stderr.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The reference page of the recipe, made from the description of its keys."""

from collections.abc import Iterator
from dataclasses import MISSING

from jeos.model.recipe_keys import RECIPE, table_of
from jeos.model.recipe_shapes import toml
from jeos.model.recipe_tables import Key, ListOf, Pairs, Table

HEAD = """\
# The recipe: `appliance.toml`

The recipe is the only file that an appliance needs. It is [TOML](https://toml.io/en/v1.0.0); paths in it are relative
to its folder. `jeos recipe check` tells all that is wrong with one. Editors complete and check recipes by
[its JSON Schema](appliance.schema.json); with Taplo or Even Better TOML, for example, by a first line such as
`#:schema ./appliance.schema.json`.

Keys of the top level stand before the first `[table]`. A table in double brackets, such as `[[file]]`, may stand as
often as you like. Sizes are in binary multiples: `"512M"` is 512 MiB.
"""


def page() -> str:
    """Return the page as Markdown."""
    plain = [key for key in RECIPE.keys if table_of(key) is None and not isinstance(key.shape, Pairs)]
    example = "".join(f"{key.name} = {key.example}\n" for key in plain)
    parts = [HEAD, "## Top level\n", *_rows(RECIPE, plain), f"```toml\n{example}```\n"]
    for key in RECIPE.keys:
        if key not in plain:
            parts += _section(key)
    return "\n".join(parts)


def _section(key: Key) -> Iterator[str]:
    """Yield the lines about one table of the recipe."""
    table = table_of(key)
    brackets = f"[[{key.name}]]" if isinstance(key.shape, ListOf) else f"[{key.name}]"
    yield f"## `{brackets}`\n"
    if table is None:
        yield f"{key.doc} Each key is {key.shape.words}.\n"
        yield f'```toml\n{brackets}\n"net.ipv4.ip_forward" = 1\n```\n'
        return
    default = f" Without it, {key.default}." if key.default else ""
    yield f"{table.doc}{default}\n"
    if table.one_of:
        yield f"Exactly one of {_listing(table.one_of)} must be there.\n"
    yield from _rows(table, table.keys)
    yield f"```toml\n{brackets}\n{_example(table)}```\n"


def _rows(table: Table, keys: tuple[Key, ...] | list[Key]) -> Iterator[str]:
    """Yield the table of keys, as lines of Markdown."""
    yield "| key | what it is | it must be | without it |\n| --- | --- | --- | --- |"
    for key in keys:
        yield f"| `{key.name}` | {key.doc} | {_cell(key.shape.words)} | {_cell(_default(table, key))} |"
    yield ""


def _default(table: Table, key: Key) -> str:
    """Return what holds without a key, in words."""
    value = table.default(key)
    if key.default:
        return key.default
    if key.name in table.one_of:
        return ""
    if value is MISSING:
        return "**must be there**"
    if isinstance(value, tuple):
        return f"`{toml(list(value))}`" if value else "none"
    if isinstance(value, float):
        return f"`{value:g}`"
    return "none" if value in ("", None) else f"`{toml(value)}`"


def _example(table: Table) -> str:
    """Return an example of a table, with as many of its keys as can stand together."""
    shown = table.shown or [key.name for key in table.keys if key.name not in table.one_of[1:]]
    return "".join(f"{key.name} = {key.example}\n" for key in table.keys if key.name in shown)


def _listing(names: tuple[str, ...]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

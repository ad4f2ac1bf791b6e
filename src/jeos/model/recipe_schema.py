"""The recipe's JSON Schema (draft 2020-12), for editors that complete and check `appliance.toml`.

It says all that a schema can say of one key. What keys demand of each other (`recipe_rules`) and the limits of sizes
are only told by `jeos` itself.
"""

import json

from jeos.model.recipe_keys import RECIPE
from jeos.model.recipe_shapes import Schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """Return the schema as JSON values."""
    described = RECIPE.schema()
    return {"$schema": DRAFT, "title": "jeos recipe", **described}


def as_text() -> str:
    """Return the schema as it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"

"""Patterns of paths, as slimming and recipes write them: `*` stands for any letters, slashes too."""

import fnmatch
import re
from collections.abc import Callable, Iterable


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test for paths that one of the patterns names, or that lie below one that it names."""
    parts = [fnmatch.translate(pattern.strip("/")).removesuffix(r"\z").removesuffix(r"\Z") for pattern in patterns]
    if not parts:
        return lambda path: False
    compiled = re.compile("|".join(f"(?:{part}(?:/.*)?)" for part in parts), re.DOTALL)
    return lambda path: compiled.fullmatch(path) is not None

import string
import tomllib

import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.model.toml_lines import Path, lines_of

TEXT = '''a = 1 # x = 2
"q.\\u0041" . b = """
x = 3
""\\"""" # c
[t."x y"]
k = {a = 1, b = [1,
 2, {z = 'x#]'}], c.d = 2020-01-01 07:32:00}
[[l]]
n = 1
[l.s]
m = 2
[[l]]
n = [
  # c
  [1, 2],
  """a""" , 'b',
]
'''


def test_lines_follow_strings_tables_and_arrays() -> None:
    tomllib.loads(TEXT)
    assert lines_of(TEXT) == {
        (): 1,
        ("a",): 1,
        ("q.A",): 2,
        ("q.A", "b"): 2,
        ("t",): 5,
        ("t", "x y"): 5,
        ("t", "x y", "k"): 6,
        ("t", "x y", "k", "a"): 6,
        ("t", "x y", "k", "b"): 6,
        ("t", "x y", "k", "b", 0): 6,
        ("t", "x y", "k", "b", 1): 7,
        ("t", "x y", "k", "b", 2): 7,
        ("t", "x y", "k", "b", 2, "z"): 7,
        ("t", "x y", "k", "c"): 7,
        ("t", "x y", "k", "c", "d"): 7,
        ("l",): 8,
        ("l", 0): 8,
        ("l", 0, "n"): 9,
        ("l", 0, "s"): 10,
        ("l", 0, "s", "m"): 11,
        ("l", 1): 12,
        ("l", 1, "n"): 13,
        ("l", 1, "n", 0): 15,
        ("l", 1, "n", 0, 0): 15,
        ("l", 1, "n", 0, 1): 15,
        ("l", 1, "n", 1): 16,
        ("l", 1, "n", 2): 16,
    }


def paths_of(value: object, path: Path = ()) -> set[Path]:
    """Return the path of everything in a value, by walking it."""
    found = {path}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in items:
        found |= paths_of(inner, (*path, part))
    return found


leaves = st.one_of(st.text(max_size=8), st.integers(-9, 9), st.booleans(), st.floats(allow_nan=False), st.datetimes())
names = st.text(string.ascii_letters + '. "#=', min_size=1, max_size=4)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(names, values, max_size=4))
@settings(max_examples=100, deadline=None)
def test_every_path_of_a_generated_text_has_a_line(data: dict[str, object]) -> None:
    text = tomlkit.dumps(data)
    lines = lines_of(text)
    assert set(lines) == paths_of(tomllib.loads(text))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())

"""Translations: each section keeps `locale/LANGUAGE.po`; at the start all are merged into what gettext reads.

    write(data / "locale")         # locale/fr/LC_MESSAGES/django.mo

So a section brings its own texts, two sections never edit one file, and no compiled file is kept in the repository.
Formats: GNU gettext manual, "The Format of PO Files" and "The Format of GNU MO Files".
"""

import ast
import struct
from pathlib import Path

from jeos.core import files
from jeos.server import section

HERE = Path(__file__).parent
MAGIC = 0x950412DE
CONTEXT = "\x04"  # between a message's context and its text
PLURAL = "\x00"  # between the forms of a message

Messages = dict[str, str]


def folders() -> list[Path]:
    """Return where translations may be: the server's own, each section's, then our words for what packages say.

    allauth and Django say username and password, where this site says handle and passphrase, in English too.
    """
    own = [HERE / "locale", *(HERE / name.rpartition(".")[2] / "locale" for name in section.names())]
    return [*own, HERE / "accounts/words"]


def languages() -> list[str]:
    """Return the languages that there are translations into."""
    return sorted({path.stem for folder in folders() for path in folder.glob("*.po")})


def read(path: Path) -> Messages:
    """Return the messages of a .po file by their text (with context); what is not translated is left out."""
    found: Messages = {}
    entry: dict[str, str] = {}
    field = ""
    for raw in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        line = raw.strip()
        if line.startswith("#"):
            continue
        if not line:
            _add(found, entry)
            entry = {}
        elif line.startswith('"'):
            entry[field] += ast.literal_eval(line)
        else:
            field, _, value = line.partition(" ")
            entry[field] = ast.literal_eval(value)
    return found


def _add(found: Messages, entry: dict[str, str]) -> None:
    if "msgid" not in entry:
        return
    key = entry["msgid"]
    if "msgctxt" in entry:
        key = entry["msgctxt"] + CONTEXT + key
    if "msgid_plural" in entry:
        key += PLURAL + entry["msgid_plural"]
        forms = [entry[name] for name in sorted(entry) if name.startswith("msgstr[")]
        if all(forms):
            found[key] = PLURAL.join(forms)
    elif entry.get("msgstr"):
        found[key] = entry["msgstr"]


def merged(language: str) -> Messages:
    """Return the messages of all sections in one language. The header, with the rule of plurals, is the server's."""
    messages: Messages = {}
    for folder in reversed(folders()):
        path = folder / f"{language}.po"
        if path.exists():
            messages.update(read(path))
    return messages


def compiled(messages: Messages) -> bytes:
    """Return messages in the form that gettext reads."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    count = len(pairs)
    keys_at, values_at, texts_at = 28, 28 + 8 * count, 28 + 16 * count
    texts = bytearray()
    tables = [[], []]  # type: list[list[tuple[int, int]]]
    for column in (0, 1):
        for pair in pairs:
            tables[column].append((len(pair[column]), texts_at + len(texts)))
            texts += pair[column] + b"\0"
    head = struct.pack("<7I", MAGIC, 0, count, keys_at, values_at, 0, texts_at)
    entries = b"".join(struct.pack("<2I", *place) for table in tables for place in table)
    return head + entries + bytes(texts)


def write(folder: Path) -> None:
    """Write what gettext reads for all languages under `folder`, where it differs from what is there."""
    for language in languages():
        path = folder / language / "LC_MESSAGES" / "django.mo"
        made = compiled(merged(language))
        if not path.exists() or path.read_bytes() != made:
            files.write(path, made)

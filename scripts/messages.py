"""Bring the translations of the server up to date: what its pages and modules say, into each section's `locale/`.

scripts/messages.py          adds new messages, untranslated, and drops those that nothing says any more
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment

from jeos.server import translations

SERVER = Path(__file__).parent.parent / "src/jeos/server"
LANGUAGES = ("de", "fr")
SINGLE = ("_", "gettext", "gettext_lazy")
PLURAL = ("ngettext", "ngettext_lazy")
PLURAL_RULES = {"de": "nplurals=2; plural=(n != 1);", "fr": "nplurals=2; plural=(n > 1);"}

Message = tuple[str, ...]  # the text, or its singular and its plural


def folder_of(path: Path) -> Path:
    """Return the folder of the section that a file belongs to, or the server's own."""
    first = path.relative_to(SERVER).parts[0]
    return SERVER / first if (SERVER / first / "apps.py").exists() else SERVER


def in_template(text: str) -> Iterator[Message]:
    """Return what a template says."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True, trim_blocks=True, lstrip_blocks=True)
    for _line, name, said in environment.extract_translations(text):  # type: ignore[attr-defined] # of the extension
        if name in SINGLE and isinstance(said, str):
            yield (said,)
        elif name in PLURAL:
            yield (said[0], said[1])


def in_module(text: str) -> Iterator[Message]:
    """Return what a module says."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        texts = tuple(
            part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
        if (node.func.id in SINGLE and len(texts) == 1) or (node.func.id in PLURAL and len(texts) == 2):
            yield texts


def said() -> dict[Path, set[Message]]:
    """Return all messages, by the folder of their section."""
    found: dict[Path, set[Message]] = {}
    for path in sorted(SERVER.rglob("*")):
        if path.suffix == ".html" and "jinja2" in path.parts:
            messages = in_template(path.read_text(encoding="utf-8"))
        elif path.suffix == ".py":
            messages = in_module(path.read_text(encoding="utf-8"))
        else:
            continue
        found.setdefault(folder_of(path), set()).update(messages)
    return {folder: messages for folder, messages in found.items() if messages}


def as_text(messages: set[Message], known: translations.Messages, *, language: str) -> str:
    """Return a .po file with these messages, sorted, each with the translation that is known."""
    head = (
        f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        f'"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: {PLURAL_RULES[language]}\\n"\n'
    )
    return "\n".join([head, *(_entry(message, known) for message in sorted(messages))])


def _entry(message: Message, known: translations.Messages) -> str:
    made = known.get(translations.PLURAL.join(message), "")
    lines = [f"msgid {quoted(message[0])}"]
    if len(message) == 1:
        return "\n".join([*lines, f"msgstr {quoted(made)}", ""])
    forms = made.split(translations.PLURAL) if made else ["", ""]
    lines += [f"msgid_plural {quoted(message[1])}"]
    return "\n".join([*lines, *(f"msgstr[{number}] {quoted(form)}" for number, form in enumerate(forms)), ""])


def quoted(text: str) -> str:
    """Return a text as .po files hold it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def files() -> dict[Path, str]:
    """Return the text that each .po file should have."""
    known = {language: translations.merged(language) for language in LANGUAGES}
    return {
        folder / "locale" / f"{language}.po": as_text(messages, known[language], language=language)
        for folder, messages in said().items()
        for language in LANGUAGES
    }


def main() -> int:
    """Write the files that changed, and say how many messages lack a translation."""
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote {path.relative_to(SERVER.parents[2])}\n")
        missing = text.count('msgstr ""\n\n') + text.count('msgstr[0] ""') + text.endswith('msgstr ""\n')
        if missing:
            sys.stderr.write(f"{path.relative_to(SERVER.parents[2])}: {missing} without a translation\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""From what members write to what pages show: CommonMark with tables, made safe, with mentions and quotes found.

    render("Try **this**, @ada, and see [[Boot order]]", handles={"ada"}).html

`[[Boot order]]` and `[[Boot order|other words]]` link to a page of the wiki, whether or not there is one yet.

Two independent walls stand between a member's text and a reader's browser: markdown-it is told to let no HTML through,
and nh3 then keeps only what a text needs. A third, the page's content security policy, allows no script in the page.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import quote as percent

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

RENDERER = 2  # goes up when the same source is to look different; texts of older versions are rendered anew
LENGTH = 40_000  # characters of one text
NESTING = 20  # levels of lists and quotes: a bound on what one text may cost
HEADINGS = 2  # a text's first heading stands below the page's own

_MENTION = re.compile(r"(?<![\w@/.])@([a-z0-9](?:[a-z0-9_-]{0,28}[a-z0-9])?)(?![\w@-])", re.IGNORECASE)
_TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
    *("a", "abbr", "b", "strong", "i", "em", "s", "del", "sub", "sup", "code", "kbd"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "class"},
    "code": {"class"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "td": {"class"},
    "th": {"class"},
}
_CLASSES = {"a": {"mention", "wiki"}, "td": {"centre", "right"}, "th": {"centre", "right"}}
PAGES = "/wiki/"  # where links to pages lead; the section that has them is mounted there
PAGE_NAME = 100  # characters of a page's name in addresses
_PAGE = re.compile(r"\[\[([^\[\]\n|]{1,200})(?:\|([^\[\]\n]{1,200}))?\]\]")
_LANGUAGE = re.compile(r"\Alanguage-[A-Za-z0-9+#.-]{1,30}\Z")


@dataclass(frozen=True)
class Rendered:
    """A text as pages show it, as search sees it, whom it mentions, and to which pages it links: name and words."""

    html: str
    plain: str
    mentions: tuple[str, ...]
    links: int
    pages: tuple[tuple[str, str], ...] = ()


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "maxNesting": NESTING})
    parser.enable(["table", "strikethrough", "linkify"])
    parser.inline.ruler.before("link", "page", _page_link)
    parser.disable("image")  # a foreign image would tell its owner who reads; it becomes a link
    parser.validateLink = _safe_link  # type: ignore[method-assign]
    assert parser.linkify is not None
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    return parser


def _safe_link(url: str) -> bool:
    """Tell whether a link may be one: to the web, to mail, or within the site."""
    scheme, colon, _ = url.strip().lower().partition(":")
    return not colon or "/" in scheme or "#" in scheme or "?" in scheme or scheme in ("http", "https", "mailto")


def page_name(title: str) -> str:
    """Return a page's name in addresses: small letters and digits of any script, hyphens between; empty for none."""
    low = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).lower())
    return re.sub(r"(?:[^\w.+]|_)+", "-", low).strip("-.")[:PAGE_NAME].rstrip("-.")


def page_url(name: str) -> str:
    """Return the address of the page with this name."""
    return f"{PAGES}{percent(name, safe='+')}/"


def _page_link(state: StateInline, silent: bool) -> bool:
    """Read [[a link to a page]], a rule of the parser; within another link it is text."""
    found = _PAGE.match(state.src, state.pos) if not state.linkLevel else None
    name = page_name(found.group(1)) if found else ""
    if found is None or not name:
        return False
    if not silent:
        title = " ".join(found.group(1).split())
        link = state.push("link_open", "a", 1)
        link.attrs = {"href": page_url(name), "class": "wiki"}
        link.meta = {"page": (name, title)}
        state.push("text", "", 0).content = " ".join((found.group(2) or "").split()) or title
        state.push("link_close", "a", -1)
    state.pos = found.end()
    return True


_markdown = _parser()


def find_mentions(source: str) -> set[str]:
    """Return the handles that a text may mention, before it is known whether there are such members."""
    return {handle.lower() for handle in _MENTION.findall(source[:LENGTH])}


def render(source: str, *, handles: Collection[str] = ()) -> Rendered:
    """Render a text; `handles` are those of the members that there are."""
    tokens = _markdown.parse(source[:LENGTH])
    mentions: dict[str, None] = {}
    pages: dict[str, str] = {}
    links = 0
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADINGS - 1)}"
        if token.type in ("td_open", "th_open"):
            _align(token)
        if token.type == "inline" and token.children:
            token.children = list(_with_mentions(token.children, handles=handles, found=mentions))
            links += sum(child.type == "link_open" and "class" not in child.attrs for child in token.children)
            for child in token.children:
                if "page" in child.meta:
                    pages.setdefault(*child.meta["page"])
    made = _markdown.renderer.render(tokens, _markdown.options, {})
    return Rendered(
        html=sanitize(made), plain=plain(tokens), mentions=tuple(mentions), links=links, pages=tuple(pages.items())
    )


def _align(token: Token) -> None:
    """Turn a style, which the content security policy forbids, into a class."""
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrs["class"] = {"center": "centre"}.get(style.rpartition(":")[2], style.rpartition(":")[2])


def _with_mentions(children: list[Token], *, handles: Collection[str], found: dict[str, None]) -> Iterator[Token]:
    """Turn the mentions in a line's texts into links; texts that are links already stay as they are."""
    depth = 0
    for child in children:
        depth += child.nesting if child.type.startswith("link_") else 0
        if child.type != "text" or depth or "@" not in child.content:
            yield child
            continue
        end = 0
        for match in _MENTION.finditer(child.content):
            handle = match.group(1).lower()
            if handle not in handles:
                continue
            found[handle] = None
            yield _text(child.content[end : match.start()])
            yield Token("link_open", "a", 1, attrs={"href": f"/m/{handle}/", "class": "mention"})
            yield _text(match.group(0))
            yield Token("link_close", "a", -1)
            end = match.end()
        yield _text(child.content[end:])


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def sanitize(made: str) -> str:
    """Return HTML with nothing in it but what a text needs."""
    return _cleaned(made, relative="pass_through")


def with_base(made: str, base: str) -> str:
    """Return the HTML of a text for readers elsewhere: its links within the site lead to the site at `base`."""
    return _cleaned(made, relative=("rewrite_with_base", base))


def _cleaned(made: str, *, relative: str | tuple[str, str]) -> str:
    return nh3.clean(
        made,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_keep_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener",
        set_tag_attribute_values={"pre": {"tabindex": "0"}},  # code that is too wide is scrolled by keyboard too
        url_relative=relative,  # type: ignore[arg-type] # of the stub, which knows only some of its words
    )


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    if name != "class":
        return value
    if tag == "code":
        return value if _LANGUAGE.match(value) else None
    return value if value in _CLASSES.get(tag, ()) else None


def plain(tokens: list[Token]) -> str:
    """Return the words of a text without markup, for search and excerpts. Quoted text is others', and left out."""
    parts: list[str] = []
    quoted = 0
    for token in tokens:
        if token.type in ("blockquote_open", "blockquote_close"):
            quoted += token.nesting
        elif quoted:
            continue
        elif token.type == "inline":
            words = (
                " " if child.type in ("softbreak", "hardbreak") else child.content for child in token.children or ()
            )
            parts.append("".join(words))
        elif token.type in ("fence", "code_block"):
            parts.append(token.content.strip())
    return "\n".join(part for part in parts if part)


def quote(source: str, *, handle: str, number: int, url: str) -> str:
    """Return a text as a quotation of it, to begin an answer with."""
    lines = "\n".join(f"> {line}".rstrip() for line in source.strip().splitlines())
    return f"> @{handle} [#{number}]({url}):\n>\n{lines}\n\n"


def summary(text: str, *, length: int = 200) -> str:
    """Return the beginning of a plain text, cut between words."""
    flat = " ".join(text.split())
    if len(flat) <= length:
        return flat
    return flat[: flat.rfind(" ", 0, length) if " " in flat[:length] else length].rstrip() + " …"


def as_html(text: str) -> str:
    """Return a plain text as safe HTML."""
    return html.escape(text)

"""From what members write to what pages show: CommonMark with tables, made safe, with mentions and quotes found.

    render("Try **this**, @ada, and see [[Boot order]]", handles={"ada"}).html

`![rack](attachment:KEY)` shows a picture that a member uploaded, and `[log](attachment:KEY)` links to a file; the files
that there are come from the caller. A picture from elsewhere is a link, since it would tell its owner who reads.

`[[Boot order]]` and `[[Boot order|other words]]` link to a page of the wiki, whether or not there is one yet.

Two independent walls stand between a member's text and a reader's browser: markdown-it is told to let no HTML through,
and nh3 then keeps only what a text needs. A third, the page's content security policy, allows no script in the page.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote as percent

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

RENDERER = 3  # goes up when the same source is to look different; texts of older versions are rendered anew
LENGTH = 40_000  # characters of one text
OPENING = 1_000  # characters of a text that are read for its beginning
OPENINGS = 4_096  # beginnings that are remembered
NESTING = 20  # levels of lists and quotes: a bound on what one text may cost
SCHEMES = ("http", "https", "mailto", "attachment")
HEADINGS = 2  # a text's first heading stands below the page's own

_MENTION = re.compile(r"(?<![\w@/.])@([a-z0-9](?:[a-z0-9_-]{0,28}[a-z0-9])?)(?![\w@-])", re.IGNORECASE)
_TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
    *("img", "a", "abbr", "b", "strong", "i", "em", "s", "del", "sub", "sup", "code", "kbd"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "class"},
    "code": {"class"},
    "img": {"src", "alt", "width", "height", "loading"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "td": {"class"},
    "th": {"class"},
}
_CLASSES = {"a": {"mention", "wiki", "file", "picture"}, "td": {"centre", "right"}, "th": {"centre", "right"}}
PAGES = "/wiki/"  # where links to pages lead; the section that has them is mounted there
PAGE_NAME = 100  # characters of a page's name in addresses
_PAGE = re.compile(r"\[\[([^\[\]\n|]{1,200})(?:\|([^\[\]\n]{1,200}))?\]\]")
_FILE = re.compile(r"(?:attachment:|/files/)([a-z2-7]{24})(?:/[^/]*)?\Z")
_REFERRED = re.compile(r"!?\[([^\[\]\n]{0,200})\]\(attachment:[a-z2-7]{24}\)")
_SOURCE = re.compile(r"/files/[a-z2-7]{24}/[^/\s]+\Z")  # of a picture: a file of this site
_MAY_LINK = re.compile(r"[:&\\]|//")  # is in each text with an address that becomes a link, however it is written
_LANGUAGE = re.compile(r"\Alanguage-[A-Za-z0-9+#.-]{1,30}\Z")


@dataclass(frozen=True)
class File:
    """An uploaded file, as texts show it; width and height are in pixels."""

    url: str
    name: str
    picture: bool
    width: int
    height: int


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
    parser.validateLink = _safe_link  # type: ignore[method-assign]
    assert parser.linkify is not None
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    return parser


def _safe_link(url: str) -> bool:
    """Tell whether a link may be one: to the web, to mail, or within the site."""
    scheme, colon, _ = url.strip().lower().partition(":")
    return not colon or "/" in scheme or "#" in scheme or "?" in scheme or scheme in SCHEMES


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
_without_addresses = _parser().disable("linkify")  # looking for them costs a third of all parsing


def find_mentions(source: str) -> set[str]:
    """Return the handles that a text may mention, before it is known whether there are such members."""
    return {handle.lower() for handle in _MENTION.findall(source[:LENGTH])}


def render(source: str, *, handles: Collection[str] = (), files: Mapping[str, File] | None = None) -> Rendered:
    """Render a text; `handles` are those of the members that there are, `files` the uploaded files by their keys."""
    tokens = (_markdown if _MAY_LINK.search(source) else _without_addresses).parse(source[:LENGTH])
    mentions: dict[str, None] = {}
    pages: dict[str, str] = {}
    links = 0
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADINGS - 1)}"
        if token.type in ("td_open", "th_open"):
            _align(token)
        if token.type == "inline" and token.children:
            children = list(_with_files(token.children, files=files or {}))
            token.children = list(_with_mentions(children, handles=handles, found=mentions))
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


def _with_files(children: list[Token], *, files: Mapping[str, File]) -> Iterator[Token]:
    """Let the pictures and links in a line lead to uploaded files; what is no file here is a link, or words."""
    depth = 0
    for child in children:
        if child.type == "link_open":
            key = _FILE.match(str(child.attrs.get("href", "")))
            if key and key.group(1) in files:
                child.attrs |= {"href": files[key.group(1)].url, "class": "file"}
        depth += child.nesting if child.type.startswith("link_") else 0
        if child.type != "image":
            yield child
            continue
        address = str(child.attrs.get("src", ""))
        key = _FILE.match(address)
        file = files.get(key.group(1)) if key else None
        if file is not None and file.picture:
            picture = _picture(child, file)
            yield from [picture] if depth else _linked(picture, file.url, "picture")
        elif file is not None:
            words = _text(child.content or file.name)
            yield from [words] if depth else _linked(words, file.url, "file")
        else:
            words = _text(child.content or address)
            yield from [_text("!"), words] if depth or key else [_text("!"), *_linked(words, address, "")]


def _picture(image: Token, file: File) -> Token:
    """Return a picture with its size, so that a page does not jump when it comes."""
    attributes: dict[str, str | int | float] = {"src": file.url, "alt": "", "width": file.width, "height": file.height}
    made = Token("image", "img", 0, attrs={**attributes, "loading": "lazy"})
    made.content, made.children = image.content, image.children
    return made


def _linked(inner: Token, address: str, name: str) -> list[Token]:
    attributes: dict[str, str | int | float] = {"href": address, **({"class": name} if name else {})}
    return [Token("link_open", "a", 1, attrs=attributes), inner, Token("link_close", "a", -1)]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def sanitize(made: str) -> str:
    """Return HTML with nothing in it but what a text needs."""
    return _cleaned(made, relative="pass_through", keep=_keep_attribute)


def with_base(made: str, base: str) -> str:
    """Return the HTML of a text for readers elsewhere: its links within the site lead to the site at `base`."""

    def keep(tag: str, name: str, value: str) -> str | None:
        return _keep_attribute(tag, name, value.removeprefix(base)) and value

    return _cleaned(made, relative=("rewrite_with_base", base), keep=keep)


def _cleaned(made: str, *, relative: str | tuple[str, str], keep: Callable[[str, str, str], str | None]) -> str:
    return nh3.clean(
        made,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener",
        set_tag_attribute_values={"pre": {"tabindex": "0"}},  # code that is too wide is scrolled by keyboard too
        url_relative=relative,  # type: ignore[arg-type] # of the stub, which knows only some of its words
    )


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return value if _SOURCE.match(value) else None
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
    """Return the beginning of a text without the addresses of its files, cut between words."""
    flat = " ".join(_REFERRED.sub(r"\1", text).split())
    if len(flat) <= length:
        return flat
    return flat[: flat.rfind(" ", 0, length) if " " in flat[:length] else length].rstrip() + " …"


@lru_cache(maxsize=OPENINGS)
def opening(source: str) -> str:
    """Return the beginning of a text without its markup, for lists; of one that only quotes, what it quotes."""
    beginning = source[:OPENING]
    return summary(plain(_markdown.parse(beginning)) or beginning)


def as_html(text: str) -> str:
    """Return a plain text as safe HTML."""
    return html.escape(text)

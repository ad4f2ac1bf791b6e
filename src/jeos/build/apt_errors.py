"""apt's messages, turned into errors that say what to do. apt runs with LC_ALL=C.UTF-8, so they are in English.

The texts are those of apt 2.6 and 3.0 (apt-pkg/acquire-item.cc, apt-private/private-cacheset.cc, methods/gpgv.cc and
methods/sqv.cc); what none of the patterns knows is shown as apt said it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jeos.build.sources import DEBIAN, SECURITY, Source
from jeos.core.errors import InputError, JeosError, NetworkError, TrustError

SHOWN_LINES = 12  # of apt's own words, for what is not known by a pattern


@dataclass(frozen=True, slots=True)
class Rule:
    """What one of apt's messages means: the first rule whose `pattern` is found, and `unless` is not, gives the error.

    In `message` and `hint`, {where} is the repository, {found} the last group of the pattern, {words} what apt said and
    {key} what to do about keys there.
    """

    pattern: str
    error: type[JeosError]
    message: str
    hint: str
    unless: str = "^(?!)"  # which nothing matches


RULES = (
    Rule(
        r"Release file for \S+ is expired \(invalid since ([^)]*)\)",
        TrustError,
        "the index of {where} expired {found} ago: its Valid-Until has passed",
        "the mirror has stopped following Debian, or this machine's clock is wrong; use another mirror",
    ),
    Rule(
        r"Release file for \S+ is not valid yet",
        TrustError,
        "the index of {where} is from the future",
        "this machine's clock is wrong: look at it with `date`",
    ),
    Rule(
        r"Could not connect to|Could not resolve|Temporary failure resolving|Unable to connect|Connection failed"
        r"|Connection timed out|Cannot initiate the connection|No route to host|Something wicked happened resolving"
        r"|SSL connection failed",
        NetworkError,
        "{where} cannot be reached\n{words}",
        "check the network, http_proxy and the mirror's address (recipe, JEOS_MIRROR or apt sources)",
    ),
    Rule(
        r"\b40[13]\s+\w",
        NetworkError,
        "{where} asks for a password, or does not take the one it got",
        "give it a line in the file JEOS_CREDENTIALS: machine HOST login USER password PASSWORD",
    ),
    Rule(
        r"(?:NO_PUBKEY|Missing key) ([0-9A-F]+)",
        TrustError,
        "{where} is signed with the key {found}, which the keyring does not have",
        "{key}",
    ),
    Rule(
        r"BADSIG|EXPKEYSIG|REVKEYSIG|signatures were invalid|verification failed|not live until",
        TrustError,
        "the signature of {where} does not hold\n{words}",
        "the mirror is broken or somebody changes what it sends: use another mirror, over https",
    ),
    Rule(
        r"The repository '\S+ (\S+?)/? Release' (?:does not have|no longer has) a Release file",
        NetworkError,
        "{where} has no suite '{found}'",
        "check `suite` and the address: a mirror's address ends before `dists/`",
        unless=r"NOSPLIT|Clearsigned",
    ),
    Rule(
        r"is not signed|NOSPLIT|Clearsigned file isn't valid|does not have a Release file|NODATA",
        TrustError,
        "{where} is not signed: its InRelease file is no signed text",
        "it is no apt repository, or something between here and it changes what it sends (a login page?)",
    ),
    Rule(
        r"Hash Sum mismatch|File has unexpected size|Undetermined Error",
        NetworkError,
        "{where} sent an index that is not the one it signed\n{words}",
        "the mirror is in the middle of an update: try again in some minutes, or use another mirror",
    ),
    Rule("", NetworkError, "the lists of {where} could not be fetched\n{words}", "use another mirror"),
)


def of_update(said: str, *, sources: Sequence[Source]) -> JeosError:
    """Return the error for what `apt-get update` said when it failed."""
    where = _where(said, sources=sources)
    for rule in RULES:
        match = re.search(rule.pattern, said)
        if match and not re.search(rule.unless, said):
            found = match[match.lastindex] if match.lastindex else ""
            message = rule.message.format(where=where, found=found, words=_own_words(said))
            return rule.error(message, hint=rule.hint.format(key=_key_hint(where, sources=sources)))
    raise AssertionError("the last rule finds everything")


def of_install(said: str, *, exclude: Sequence[str]) -> JeosError:
    """Return the error for what `apt-get install` said when it found no solution."""
    for name in exclude:
        needed = re.search(rf"^\s*(\S+) : (?:Pre)?-?Depends: (?:.*\| )?{re.escape(name)}(?: |$)", said, re.MULTILINE)
        if needed:
            return InputError(
                f"{name} is left out by `exclude`, but {needed[1]} needs it",
                hint=f"take {name} out of `exclude`, or do without {needed[1]}",
            )
    if virtual := re.search(r"Package (\S+) is a virtual package provided by:\n((?:[ \t]+.*\n)+)", said):
        providers = ", ".join(line.split()[0] for line in virtual[2].splitlines())
        return InputError(
            f"{virtual[1]} is not a package of its own", hint=f"`packages` must name one that provides it: {providers}"
        )
    if missing := re.search(r"Package '?(\S+?)'? (?:has no installation candidate|is not available)", said):
        return InputError(
            f"the package {missing[1]} is known but not available",
            hint="it may be in another component or suite, or be left out by `exclude`",
        )
    return InputError(
        f"the packages cannot be installed together\n{_own_words(said)}",
        hint="look at `packages`, `exclude` and the extra repositories: something asks for what another forbids",
    )


def _own_words(said: str) -> str:
    """Return the lines of apt's output that say what went wrong."""
    lines = said.splitlines()
    after = [number for number, line in enumerate(lines) if "unmet dependencies" in line or "Unsatisfied dep" in line]
    told = lines[after[0] + 1 :] if after else [line for line in lines if line.startswith(("E:", "W:"))]
    unique = dict.fromkeys(line.strip() for line in told if line.strip() and "have been ignored, or old" not in line)
    return "\n".join(f"  {line}" for line in list(unique)[:SHOWN_LINES])


def _where(said: str, *, sources: Sequence[Source]) -> str:
    """Return the words for the repository that the first complaint is about."""
    ranked = sorted(
        sources, key=lambda source: len(source.url), reverse=True
    )  # …/debian is the start of …/debian-security
    for line in said.splitlines():
        if not line.startswith(("E:", "W:", "Err:")):
            continue
        for source in ranked:
            address = _without_password(re.sub(r"^file:", "copy:", source.url))
            if re.search(re.escape(address) + r"(?![\w-])", line):
                return f"the repository {source.name} ({_without_password(source.url)})"
    return "a repository"


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _key_hint(where: str, *, sources: Sequence[Source]) -> str:
    own = [source.name for source in sources if f"the repository {source.name} " in where]
    if own and own[0] not in (DEBIAN, SECURITY):
        return "give the repository's `key` the file that its vendor publishes now"
    return "sudo apt-get install --only-upgrade debian-archive-keyring, or name the right file in `keyring`"

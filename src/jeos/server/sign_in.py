"""How members sign in besides with a passphrase of the site: what the file in `JEOS_SERVER_SIGN_IN` says, as a value.

    passphrases = false                               # nobody signs in with a passphrase or passkey of the exchange

    [[oidc]]                                          # a provider of OpenID Connect; there may be several
    name = "example"                                  # stands in addresses
    label = "Example Ltd."                            # stands on the button
    issuer = "https://id.example.org/realms/staff"
    client_id = "exchange"
    client_secret_file = "/etc/jeos/oidc-secret"      # or client_secret_variable = "NAME"

    [[ldap]]                                          # a directory; there may be several
    name = "staff"
    label = "Example Ltd."
    url = "ldaps://ldap.example.org"
    bind_dn = "cn=exchange,ou=services,dc=example,dc=org"
    bind_passphrase_file = "/etc/jeos/ldap-passphrase"
    base = "ou=people,dc=example,dc=org"

Secrets are never in the file itself, so that it may be shown, and are not part of a value's text. The tables in
`docs/how-to/organisation-accounts.md` list all keys.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sansldap import LDAPFilter

from jeos.core.errors import HostError, UsageError

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?")
LABEL_LENGTH = 40
LDAP_PORTS = {"ldap": 389, "ldaps": 636}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
OTHERS_MAY_READ = 0o004
MODERATOR, ADMINISTRATOR = 1, 2  # as in accounts.models.Role

Table = Mapping[str, object]


@dataclass(frozen=True)
class Groups:
    """What groups of an organisation mean on the exchange; empty sets mean nothing."""

    moderators: frozenset[str] = frozenset()
    administrators: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()  # who is in none of them does not sign in

    def admit(self, groups: Collection[str]) -> bool:
        """Tell whether somebody in these groups may sign in."""
        return not self.allowed or not self.allowed.isdisjoint(groups)

    def role(self, groups: Collection[str], *, now: int) -> int:
        """Return the role of somebody in these groups who has the role `now`.

        A role that groups decide about is given and taken at each sign-in; the others stay with whoever has them.
        """
        if not self.administrators.isdisjoint(groups) or (now == ADMINISTRATOR and not self.administrators):
            return ADMINISTRATOR
        if not self.moderators.isdisjoint(groups) or (now == MODERATOR and not self.moderators):
            return MODERATOR
        return 0


@dataclass(frozen=True)
class Provider:
    """A provider of OpenID Connect."""

    name: str
    label: str
    issuer: str
    client_id: str
    secret: str = field(repr=False)  # empty: a public client, which PKCE alone protects
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    groups: Groups = Groups()
    sign_up: bool = True  # who has no account yet gets one
    link_by_address: bool = False  # a confirmed address of an account is enough to sign in to it
    trust_addresses: bool = False  # addresses count as confirmed although the provider does not say so
    ca_file: Path | None = None


@dataclass(frozen=True)
class Directory:
    """A directory that is asked over LDAP."""

    name: str
    label: str
    host: str
    port: int
    tls: str  # "at once" (ldaps), "start" (StartTLS), or "none": on this very machine only
    bind_dn: str
    bind_passphrase: str = field(repr=False)  # of who looks for others; both empty: nobody in particular does
    user_dn: str = ""  # with {login}: people are not looked for, but bind as this
    base: str = ""
    filter: str = "(uid={login})"
    id_attribute: str = "entryUUID"
    handle_attribute: str = "uid"
    email_attribute: str = "mail"
    name_attribute: str = "cn"
    groups_attribute: str = "memberOf"
    groups_base: str = ""  # empty: groups are in the attribute
    groups_filter: str = "(member={dn})"
    groups: Groups = Groups()
    sign_up: bool = True
    link_by_address: bool = False
    trust_addresses: bool = True
    ca_file: Path | None = None


@dataclass(frozen=True)
class SignIn:
    """All ways to sign in."""

    passphrases: bool = True
    providers: tuple[Provider, ...] = ()
    directories: tuple[Directory, ...] = ()

    @property
    def organisations(self) -> bool:
        """Tell whether there is any way but the exchange's own."""
        return bool(self.providers or self.directories)

    @property
    def by_form(self) -> bool:
        """Tell whether a login and a passphrase can sign anybody in."""
        return self.passphrases or bool(self.directories)

    def directory(self, name: str) -> Directory | None:
        """Return the directory of that name, if there is one."""
        return next((one for one in self.directories if one.name == name), None)

    def label(self, name: str) -> str:
        """Return what the provider or directory of that name is called; empty if there is none any more."""
        every: list[Provider | Directory] = [*self.providers, *self.directories]
        return next((one.label for one in every if one.name == name), "")


def read(path: Path | None) -> SignIn:
    """Return what a file says, or that nobody signs in but with passphrases if there is none.

    Raises UsageError for what makes no sense, HostError for a secret that others can read.
    """
    if path is None:
        return SignIn()
    try:
        top = Keys(tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"JEOS_SERVER_SIGN_IN cannot be read: {path}: {error}", hint="it is a TOML file") from error
    made = SignIn(
        passphrases=top.switch("passphrases", default=True),
        providers=tuple(_provider(keys) for keys in top.tables("oidc")),
        directories=tuple(_directory(keys) for keys in top.tables("ldap")),
    )
    top.done()
    _check(made, path)
    return made


def _check(made: SignIn, path: Path) -> None:
    """Raise UsageError for ways that exclude each other."""
    names = [one.name for one in made.providers] + [one.name for one in made.directories]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{path}: two have the name {name}", hint="each needs a name of its own")
    if not made.passphrases and not made.organisations:
        raise UsageError(f"{path}: nobody could sign in", hint="passphrases = true, or a table [[oidc]] or [[ldap]]")


def _provider(keys: Keys) -> Provider:
    made = Provider(
        name=keys.name(),
        label=keys.label(),
        issuer=_issuer(keys),
        client_id=keys.text("client_id"),
        secret=keys.secret("client_secret"),
        scopes=keys.words("scopes") or ("openid", "profile", "email"),
        groups_claim=keys.text("groups_claim", default="groups"),
        groups=keys.groups(),
        sign_up=keys.switch("sign_up", default=True),
        link_by_address=keys.switch("link_by_address", default=False),
        trust_addresses=keys.switch("trust_addresses", default=False),
        ca_file=keys.file("ca_file"),
    )
    if "openid" not in made.scopes:
        raise UsageError(f"{keys.where}: scopes lacks openid: {' '.join(made.scopes)}", hint="OpenID Connect needs it")
    keys.done()
    return made


def _directory(keys: Keys) -> Directory:
    host, port, tls = _server(keys)
    made = Directory(
        name=keys.name(),
        label=keys.label(),
        host=host,
        port=port,
        tls=tls,
        bind_dn=keys.text("bind_dn", default="", empty=True),
        bind_passphrase=keys.secret("bind_passphrase"),
        user_dn=keys.text("user_dn", default="", empty=True),
        base=keys.text("base", default="", empty=True),
        filter=keys.text("filter", default=Directory.filter),
        id_attribute=keys.text("id_attribute", default=Directory.id_attribute),
        handle_attribute=keys.text("handle_attribute", default=Directory.handle_attribute),
        email_attribute=keys.text("email_attribute", default=Directory.email_attribute),
        name_attribute=keys.text("name_attribute", default=Directory.name_attribute),
        groups_attribute=keys.text("groups_attribute", default=Directory.groups_attribute),
        groups_base=keys.text("groups_base", default="", empty=True),
        groups_filter=keys.text("groups_filter", default=Directory.groups_filter),
        groups=keys.groups(),
        sign_up=keys.switch("sign_up", default=True),
        link_by_address=keys.switch("link_by_address", default=False),
        trust_addresses=keys.switch("trust_addresses", default=True),
        ca_file=keys.file("ca_file"),
    )
    keys.done()
    _check_directory(made, keys.where)
    return made


def _server(keys: Keys) -> tuple[str, int, str]:
    """Return host, port and how the connection is encrypted (RFC 4516; RFC 4513, section 3)."""
    url, start = keys.text("url"), keys.switch("start_tls", default=True)
    parts = urlsplit(url)
    if parts.scheme not in LDAP_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UsageError(f"{keys.where}: url is no ldaps or ldap address: {url}", hint="as in ldaps://ldap.example.org")
    tls = "at once" if parts.scheme == "ldaps" else "start" if start else "none"
    if tls == "none" and parts.hostname not in LOOPBACK:
        raise UsageError(
            f"{keys.where}: passphrases would go unencrypted to {parts.hostname}", hint="start_tls = true, or ldaps"
        )
    return parts.hostname, parts.port or LDAP_PORTS[parts.scheme], tls


def _check_directory(made: Directory, where: str) -> None:
    """Raise UsageError for keys that do not fit together."""
    if made.user_dn and "{login}" not in made.user_dn:
        raise UsageError(f"{where}: user_dn lacks {{login}}: {made.user_dn}", hint='"uid={login},ou=people,…"')
    if not made.user_dn and not (made.base and "{login}" in made.filter):
        raise UsageError(f"{where}: nobody can be found", hint="base, and a filter with {login}; or user_dn")
    if bool(made.bind_dn) != bool(made.bind_passphrase):
        raise UsageError(f"{where}: bind_dn and its passphrase belong together", hint="bind_passphrase_file names one")
    if made.groups_base and "{dn}" not in made.groups_filter and "{login}" not in made.groups_filter:
        raise UsageError(f"{where}: groups_filter lacks {{dn}}: {made.groups_filter}", hint='"(member={dn})"')
    for text in (made.filter, made.groups_filter):
        try:
            LDAPFilter.from_string(text)
        except ValueError as error:
            raise UsageError(
                f"{where}: this is no filter: {text}: {error}", hint="RFC 4515; (uid={{login}})"
            ) from error


def _issuer(keys: Keys) -> str:
    """Return an issuer's address (OpenID Connect Discovery 1.0, section 3): https, or http on this very machine."""
    text = keys.text("issuer")
    parts = urlsplit(text)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or plain) or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"{keys.where}: issuer is no https address: {text}", hint="as in https://id.example.org")
    return text


class Keys:
    """A table of the file that knows which of its keys were asked for, so that a wrong one is said and not ignored."""

    def __init__(self, table: Table, *, where: str) -> None:
        self._table = dict(table)
        self.where = where

    def done(self) -> None:
        """Raise UsageError if there is a key that nothing asked for."""
        for key in self._table:
            raise UsageError(f"{self.where}: there is no key {key}", hint="the how-to lists them; is it a slip?")

    def tables(self, key: str) -> list[Keys]:
        """Return an array of tables."""
        value = self._table.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise UsageError(f"{self.where}: {key} is no list of tables", hint=f"write [[{key}]] above each")
        return [Keys(one, where=f"{self.where}: {key} {number}") for number, one in enumerate(value, 1)]

    def text(self, key: str, *, default: str | None = None, empty: bool = False) -> str:
        """Return a text. Raises UsageError if there is none, or something else."""
        value = self._table.pop(key, default)
        if not isinstance(value, str) or not (value.strip() or empty):
            raise UsageError(f"{self.where}: {key} is no text: {value!r}", hint=f'as in {key} = "…"')
        return value

    def switch(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._table.pop(key, default)
        if not isinstance(value, bool):
            raise UsageError(f"{self.where}: {key} is neither true nor false: {value!r}", hint=f"{key} = true")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty if there is none."""
        value = self._table.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise UsageError(f"{self.where}: {key} is no list of texts: {value!r}", hint=f'as in {key} = ["…"]')
        return tuple(value)

    def name(self) -> str:
        """Return the name that stands in addresses and in the database."""
        text = self.text("name")
        if not NAME.fullmatch(text):
            raise UsageError(
                f"{self.where}: name is not made of small letters, digits and -: {text}", hint='name = "example"'
            )
        return text

    def label(self) -> str:
        """Return what stands on the button."""
        text = self.text("label")
        if len(text) > LABEL_LENGTH:
            raise UsageError(f"{self.where}: label has more than {LABEL_LENGTH} characters: {text}", hint="shorten it")
        return text

    def groups(self) -> Groups:
        """Return what groups mean."""
        return Groups(
            moderators=frozenset(self.words("moderators")),
            administrators=frozenset(self.words("administrators")),
            allowed=frozenset(self.words("allowed")),
        )

    def file(self, key: str) -> Path | None:
        """Return the path of a file that is there, or None. Raises UsageError if it is not."""
        if key not in self._table:
            return None
        path = Path(self.text(key))
        if not path.is_file():
            raise UsageError(f"{self.where}: {key} is not there: {path}", hint="give a path from the root on")
        return path

    def secret(self, key: str) -> str:
        """Return a secret from a file or a variable; empty if neither is named.

        Raises UsageError if what is named is not there, HostError if others can read the file.
        """
        path = self.file(f"{key}_file")
        if f"{key}_variable" in self._table:
            variable = self.text(f"{key}_variable")
            if path is not None or not os.environ.get(variable):
                raise UsageError(
                    f"{self.where}: {key}_variable names {variable}, which is empty or one of two",
                    hint=f"set it, or name a file with {key}_file instead",
                )
            return os.environ[variable]
        if path is None:
            return ""
        if path.stat().st_mode & OTHERS_MAY_READ:
            raise HostError(f"everybody can read {path}", hint=f"chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()

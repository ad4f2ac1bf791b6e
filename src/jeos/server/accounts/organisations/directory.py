"""Who somebody is in a directory: found, believed, and described by what the directory says of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sansldap import FilterEquality, LDAPFilter

from jeos.server.accounts.organisations import ldap
from jeos.server.accounts.organisations.ldap import Entry, Line
from jeos.server.sign_in import Directory

LOG = logging.getLogger(__name__)
LONGEST = 256  # characters of a login
EVERYTHING = LDAPFilter.from_string("(objectClass=*)")
BINARY_IDS = ("objectguid",)  # of Active Directory: 16 bytes, which are kept as hexadecimal digits


@dataclass(frozen=True)
class Person:
    """What a directory says of somebody who has shown to be that person."""

    id: str
    dn: str
    handle: str
    email: str
    name: str
    groups: frozenset[str]  # by their whole names, and by the first value in these


def authenticate(directory: Directory, login: str, passphrase: str) -> Person | None:
    """Return who signs in with this login and passphrase, or None if nobody does.

    Raises NetworkError if the directory cannot say.
    """
    if not 0 < len(login) <= LONGEST or not passphrase or "\0" in login + passphrase:
        return None
    with ldap.connected(directory) as line:
        if directory.user_dn:
            dn = ldap.name_of(directory.user_dn, login)
            if not line.bind(dn, passphrase):
                return None
            found = line.search(dn, _filter(directory, login), _attributes(directory), below=False)
            return _person(directory, line, found[0], login) if found else None
        entry = _find(directory, line, _filter(directory, login))
        if entry is None:
            return None
        # Groups are read before, since whoever signs in may see less than who looks for them.
        person = _person(directory, line, entry, login)
        return person if person is not None and line.bind(entry.name, passphrase) else None


def look_up(directory: Directory, ids: Sequence[str]) -> dict[str, Person]:
    """Return those of some people, by what they are known by, whom the directory still has. Raises NetworkError."""
    found = {}
    with ldap.connected(directory) as line:
        _look_for_others(directory, line)
        for one in ids:
            wanted = FilterEquality(directory.id_attribute, _as_kept(directory, one))
            base = directory.base or directory.user_dn.partition(",")[2]
            for entry in line.search(base, wanted, _attributes(directory), most=1):
                person = _person(directory, line, entry, entry.text(directory.handle_attribute))
                if person is not None:
                    found[one] = person
    return found


def _as_kept(directory: Directory, known_by: str) -> bytes:
    """Return what somebody is known by as the directory has it."""
    binary = directory.id_attribute.lower() in BINARY_IDS
    return bytes.fromhex(known_by) if binary else known_by.encode()


def _look_for_others(directory: Directory, line: Line) -> None:
    """Bind as who looks for others. Raises NetworkError if that may not be."""
    if not line.bind(directory.bind_dn, directory.bind_passphrase):
        raise line.failed(f"{directory.bind_dn or 'nobody'} may not look for others")


def _find(directory: Directory, line: Line, wanted: LDAPFilter) -> Entry | None:
    """Return the one entry that a filter finds. Raises NetworkError."""
    _look_for_others(directory, line)
    found = line.search(directory.base, wanted, _attributes(directory), most=2)
    if len(found) > 1:
        LOG.warning("%s: %s finds more than one entry, and so nobody", directory.name, wanted)
    return found[0] if len(found) == 1 else None


def _filter(directory: Directory, login: str) -> LDAPFilter:
    if directory.user_dn and "{login}" not in directory.filter:
        return EVERYTHING
    return ldap.fill(LDAPFilter.from_string(directory.filter), {"{login}": login})


def _attributes(directory: Directory) -> list[str]:
    return [
        directory.id_attribute,
        directory.handle_attribute,
        directory.email_attribute,
        directory.name_attribute,
        directory.groups_attribute,
    ]


def _person(directory: Directory, line: Line, entry: Entry, login: str) -> Person | None:
    """Return what an entry says; None, and a line in the log, if it lacks what it would be known by."""
    if directory.id_attribute.lower() in BINARY_IDS:
        known_by = b"".join(entry.attributes.get(directory.id_attribute.lower(), ())[:1]).hex()
    else:
        known_by = entry.text(directory.id_attribute)
    if not known_by:
        LOG.warning("%s: %s has no %s to be known by", directory.name, entry.name, directory.id_attribute)
        return None
    names = entry.texts(directory.groups_attribute)
    if directory.groups_base:
        wanted = ldap.fill(LDAPFilter.from_string(directory.groups_filter), {"{login}": login, "{dn}": entry.name})
        names += [group.name for group in line.search(directory.groups_base, wanted, ["1.1"])]
    return Person(
        id=known_by,
        dn=entry.name,
        handle=entry.text(directory.handle_attribute) or login,
        email=entry.text(directory.email_attribute),
        name=entry.text(directory.name_attribute),
        groups=frozenset(names) | frozenset(first_value(name) for name in names),
    )


def first_value(name: str) -> str:
    """Return what a distinguished name begins with: `admins` of `cn=admins,ou=groups,dc=example` (RFC 4514)."""
    _attribute, _equals, rest = name.partition("=")
    value, escaped = "", False
    for mark in rest:
        if mark in ",+" and not escaped:
            break
        escaped = mark == "\\" and not escaped
        value += "" if escaped else mark
    return value

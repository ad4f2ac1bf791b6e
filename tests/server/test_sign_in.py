"""The file that says how members of organisations sign in: what it means, and what is wrong with it."""

from pathlib import Path

import pytest

from jeos.core.errors import HostError, UsageError
from jeos.server import sign_in
from jeos.server.sign_in import Directory, Groups, Provider, SignIn

LEAST = """
[[oidc]]
name = "example"
label = "Example Ltd."
issuer = "https://id.example"
client_id = "exchange"
"""
ALL = (
    LEAST
    + """
client_secret_variable = "EXAMPLE_SECRET"
scopes = ["openid", "email"]
groups_claim = "roles"
moderators = ["a"]
administrators = ["b", "c"]
allowed = ["d"]
sign_up = false
link_by_address = true
trust_addresses = true
"""
)
LDAP = """
[[ldap]]
name = "staff"
label = "Example Ltd."
url = "ldaps://ldap.example"
base = "dc=example"
"""


def read(folder: Path, text: str) -> SignIn:
    path = folder / "sign-in.toml"
    path.write_text(text)
    return sign_in.read(path)


def test_nothing_said_is_passphrases_only() -> None:
    assert sign_in.read(None) == SignIn(passphrases=True, providers=())


def test_every_key_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_SECRET", "very secret")
    (one,) = read(tmp_path, f"passphrases = false\n{ALL}").providers
    assert one == Provider(
        name="example",
        label="Example Ltd.",
        issuer="https://id.example",
        client_id="exchange",
        secret="very secret",
        scopes=("openid", "email"),
        groups_claim="roles",
        groups=Groups(frozenset({"a"}), frozenset({"b", "c"}), frozenset({"d"})),
        sign_up=False,
        link_by_address=True,
        trust_addresses=True,
    )
    assert "very secret" not in repr(one)


def test_directory_is_encrypted_in_one_way_or_the_other(tmp_path: Path) -> None:
    (one,) = read(tmp_path, LDAP).directories
    least = Directory("staff", "Example Ltd.", "ldap.example", 636, "at once", "", "", base="dc=example")
    assert one == least
    (one,) = read(tmp_path, LDAP.replace("ldaps:", "ldap:")).directories
    assert (one.port, one.tls) == (389, "start")
    (one,) = read(
        tmp_path, LDAP.replace("ldaps://ldap.example", "ldap://localhost:3389") + "start_tls = false"
    ).directories
    assert (one.host, one.port, one.tls) == ("localhost", 3389, "none")


def test_secret_in_a_file_is_for_few(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    secret.chmod(0o640)
    text = f'{LEAST}client_secret_file = "{secret}"\n'
    assert read(tmp_path, text).providers[0].secret == "from the file"
    secret.chmod(0o644)
    with pytest.raises(HostError, match="everybody can read"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST + LDAP.replace('"staff"', '"example"'), "two have the name example"),
        (LDAP.replace("ldaps:", "http:"), "url is no ldaps or ldap address: http://ldap.example"),
        (LDAP.replace("ldaps:", "ldap:") + "start_tls = false", "passphrases would go unencrypted to ldap.example"),
        (LDAP.replace('base = "dc=example"', ""), "nobody can be found"),
        (LDAP + 'filter = "(uid=all)"', "nobody can be found"),
        (LDAP + 'filter = "(uid={login}"', "this is no filter: (uid={login}"),
        (LDAP + 'user_dn = "uid=all"', "user_dn lacks {login}: uid=all"),
        (LDAP + 'bind_dn = "cn=x"', "bind_dn and its passphrase belong together"),
        (LDAP + 'groups_base = "dc=x"\ngroups_filter = "(member=x)"', "groups_filter lacks {dn}"),
        ("passphrases = 1", "passphrases is neither true nor false: 1"),
        ("passphrases = false", "nobody could sign in"),
        ("passphrase = true", "there is no key passphrase"),
        ("oidc = 3", "oidc is no list of tables"),
        ("[[oidc", "cannot be read"),
        (LEAST + LEAST, "two have the name example"),
        (LEAST + 'scope = ["openid"]', "oidc 1: there is no key scope"),
        (LEAST + 'scopes = ["email"]', "scopes lacks openid: email"),
        (LEAST + 'moderators = "a"', "moderators is no list of texts: 'a'"),
        (LEAST + 'ca_file = "/nowhere"', "ca_file is not there: /nowhere"),
        (LEAST + 'client_secret_variable = "NOTHING"', "names NOTHING, which is empty"),
        (LEAST.replace('"exchange"', '""'), "client_id is no text: ''"),
        (LEAST.replace('"example"', '"An example"'), "name is not made of small letters"),
        (LEAST.replace("Example Ltd.", "x" * 41), "label has more than 40 characters"),
        (LEAST.replace("https://", "http://"), "issuer is no https address: http://id.example"),
        (LEAST.replace("https://", "ftp://"), "issuer is no https address"),
        (LEAST.replace("id.example", "id.example/?a=1"), "issuer is no https address"),
    ],
)
def test_mistake_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)sign-in\.toml.*hint: ") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_provider_on_this_machine_may_be_plain(tmp_path: Path) -> None:
    text = LEAST.replace("https://id.example", "http://127.0.0.1:8080")
    assert read(tmp_path, text).providers[0].issuer == "http://127.0.0.1:8080"

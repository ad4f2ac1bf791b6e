"""Signing in with accounts of a directory: a real one, OpenLDAP's, which runs beside the tests."""

import re
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from sansldap import FilterAnd, FilterEquality, FilterNot, FilterSubstrings, LDAPFilter

import directory_server
from directory_server import BASE, GROUPS, PASSPHRASE, PEOPLE, SERVICE, SERVICE_PASSPHRASE, Person, Running
from jeos.core.errors import NetworkError
from jeos.server.accounts import registration
from jeos.server.accounts.adapter import Adapter
from jeos.server.accounts.models import Member, Role, Token
from jeos.server.accounts.organisations import directory, ldap, tasks
from jeos.server.jobs.models import Mail
from jeos.server.sign_in import Directory, Groups, SignIn
from server_site import signed_in

pytestmark = pytest.mark.django_db
NEWCOMER = Person("newcomer", "newcomer@example.org", "New Comer")
ADA = Person("ada", "ada@mail.example")
HELPER = Person("helper", "helper@example.org", groups=("helpers", "staff"))
CHIEF = Person("chief", "chief@example.org", groups=("chiefs",))
LOCKED = Person("locked", "locked@example.org")
GONE = Person("gone", "gone@example.org")
LEAVER = Person("leaver", "leaver@example.org")
NOMAIL = Person("nomail")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with directory_server.running([NEWCOMER, ADA, HELPER, CHIEF, LOCKED, GONE, LEAVER, NOMAIL]) as made:
        yield made


@pytest.fixture
def staff(running: Running, settings: Settings) -> Directory:
    """Let the exchange know the directory; its connections are encrypted by StartTLS."""
    cache.clear()
    made = Directory(
        name="staff",
        label="Example Ltd.",
        host="localhost",
        port=running.port,
        tls="start",
        bind_dn=SERVICE,
        bind_passphrase=SERVICE_PASSPHRASE,
        base=PEOPLE,
        ca_file=running.ca_file,
    )
    settings.SIGN_IN = SignIn(directories=(made,))
    return made


def configure(settings: Settings, made: Directory, *, passphrases: bool = True) -> None:
    settings.SIGN_IN = SignIn(passphrases=passphrases, directories=(made,))


def come(login: str, passphrase: str = PASSPHRASE) -> tuple[str, str]:
    """Sign in; return who that is, and what the page says against it."""
    client = Client()
    answer = client.post("/accounts/login/", {"login": login, "password": passphrase})
    found = client.session.get("_auth_user_id")
    said = re.findall(r'role="alert">([^<]+)<', answer.content.decode()) if answer.status_code == 200 else []
    return (Member.objects.get(pk=found).handle if found else "", "".join(said))


WRONG = "This handle and passphrase do not fit."


def test_newcomer_gets_an_account_and_keeps_it(staff: Directory) -> None:
    assert come("newcomer") == ("newcomer", "")
    member = Member.objects.get()
    assert (member.name, member.email, member.has_usable_password()) == ("New Comer", "newcomer@example.org", False)
    assert EmailAddress.objects.get().verified
    assert Mail.objects.count() == 0
    assert come("NEWCOMER") == ("newcomer", "")  # as directories compare names
    assert Member.objects.count() == 1


@pytest.mark.parametrize("passphrase", ["wrong", "", PASSPHRASE + "\0", " "])
def test_wrong_passphrase_opens_nothing(staff: Directory, passphrase: str) -> None:
    assert directory.authenticate(staff, "newcomer", passphrase) is None
    assert come("newcomer", passphrase)[0] == ""
    assert Member.objects.count() == 0


@pytest.mark.parametrize(
    "login",
    [
        "*", "new*", "newcomer)(uid=*", "*)(|(uid=*", "newcomer\0", "\\2a", ")(", "newcomer))(&(uid=*", "(uid=*)",
        "nobody", "x" * 10_000, "newcomer,ou=people", "é*", "newcomer\n", "{dn}", "{login}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["search", "bind"])
def test_login_is_a_value_and_never_a_part_of_a_filter_or_name(staff: Directory, login: str, way: str) -> None:
    bind = replace(staff, user_dn=f"uid={{login}},{PEOPLE}")
    assert directory.authenticate(staff if way == "search" else bind, login, PASSPHRASE) is None


@given(st.text())
def test_filter_says_the_same_whatever_is_put_into_it(login: str) -> None:
    text = "(&(objectClass=person)(|(uid={login})(mail={login}*@{login}))(!(uid=x{login})))"
    filled = ldap.fill(LDAPFilter.from_string(text), {"{login}": login})
    assert isinstance(filled, FilterAnd)
    _kind, either, neither = filled.filters
    assert either.filters[0] == FilterEquality("uid", login.encode("utf-8", "surrogatepass"))  # type: ignore[attr-defined]
    assert isinstance(either.filters[1], FilterSubstrings)  # type: ignore[attr-defined]
    assert either.filters[1].initial == login.encode("utf-8", "surrogatepass")  # type: ignore[attr-defined]
    assert isinstance(neither, FilterNot)


def test_value_that_looks_like_a_mark_stays_what_it_is() -> None:
    filled = ldap.fill(LDAPFilter.from_string("(a={login}-{dn})"), {"{login}": "{dn}", "{dn}": "{login}"})
    assert filled == FilterEquality("a", b"{dn}-{login}")


def test_name_is_escaped() -> None:
    assert ldap.name_of("uid={login},dc=x", 'a, b+"c"\\') == "uid=a\\2c\\20b\\2b\\22c\\22\\5c,dc=x"
    assert directory.first_value("cn=a\\,b,ou=c") == "a,b"


def test_more_than_one_entry_is_nobody(staff: Directory, caplog: pytest.LogCaptureFixture) -> None:
    both = replace(staff, filter="(|(uid={login})(uid=helper))")
    assert directory.authenticate(both, "newcomer", PASSPHRASE) is None
    assert "more than one entry" in caplog.text


def test_people_bind_as_themselves_without_anybody_who_looks_for_them(staff: Directory, settings: Settings) -> None:
    configure(settings, replace(staff, user_dn=f"uid={{login}},{PEOPLE}", bind_dn="", bind_passphrase=""))
    assert come("newcomer") == ("newcomer", "")
    assert come("newcomer", "wrong") == ("", WRONG)


def test_ldaps_with_the_right_certificate_only(staff: Directory, running: Running) -> None:
    secure = replace(staff, port=running.secure_port, tls="at once")
    person = directory.authenticate(secure, "newcomer", PASSPHRASE)
    assert person is not None
    assert len(person.id) == 36  # entryUUID
    for bad in (
        replace(secure, ca_file=None),  # signed by nobody whom this machine trusts
        replace(secure, host="127.0.0.1"),  # made for another name
        replace(staff, ca_file=None),
        replace(staff, host="127.0.0.1"),
    ):
        with pytest.raises(NetworkError, match="certificate"):
            directory.authenticate(bad, "newcomer", PASSPHRASE)


def test_passphrase_never_goes_over_a_line_that_is_not_encrypted(staff: Directory, running: Running) -> None:
    before = len(running.log.read_text(errors="replace"))
    with pytest.raises(NetworkError):
        directory.authenticate(replace(staff, ca_file=None), "newcomer", PASSPHRASE)
    said = running.log.read_text(errors="replace")[before:]
    assert "STARTTLS" in said
    assert "BIND" not in said


def test_groups_give_and_take_roles_and_keep_others_out(staff: Directory, settings: Settings) -> None:
    groups = Groups(moderators=frozenset({"helpers"}), administrators=frozenset({f"cn=chiefs,{GROUPS}"}))
    configure(settings, replace(staff, groups=groups))
    assert (come("helper")[0], come("chief")[0], come("newcomer")[0]) == ("helper", "chief", "newcomer")
    roles = dict(Member.objects.values_list("handle", "role"))
    assert roles == {"helper": Role.MODERATOR, "chief": Role.ADMINISTRATOR, "newcomer": Role.MEMBER}
    Member.objects.update(role=Role.ADMINISTRATOR)
    come("helper")
    assert Member.objects.get(handle="helper").role == Role.MODERATOR
    searched = replace(staff, groups_attribute="ou", groups_base=BASE, groups=Groups(allowed=frozenset({"staff"})))
    configure(settings, searched)
    assert come("helper") == ("helper", "")
    assert come("chief") == (
        "",
        "Your account at Example Ltd. is not meant for this site. Whoever looks after it there can change that.",
    )


def test_who_was_removed_is_signed_out_within_the_hour(
    staff: Directory, running: Running, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    groups = Groups(moderators=frozenset({"helpers"}))
    configure(settings, replace(staff, groups=groups))
    clients = {}
    for handle in ("leaver", "helper"):
        clients[handle] = Client()
        clients[handle].post("/accounts/login/", {"login": handle, "password": PASSPHRASE})
        clients[handle].get("/settings/")
    leaver = Member.objects.get(handle="leaver")
    _token, text = Token.make(leaver, name="script", writes=True, expires=None)
    Member.objects.update(role=Role.MODERATOR)
    tasks.ask_directories.call()
    assert [clients[handle].get("/settings/").status_code for handle in ("leaver", "helper")] == [200, 200]
    assert dict(Member.objects.values_list("handle", "role")) == {"leaver": Role.MEMBER, "helper": Role.MODERATOR}
    configure(settings, replace(staff, base=f"ou=moved,{BASE}"))
    tasks.ask_directories.call()
    assert "none of 2 members is found" in caplog.text
    configure(settings, replace(staff, bind_passphrase="another"))
    tasks.ask_directories.call()
    assert "may not look for others" in caplog.text
    assert Token.find(text, now=timezone.now()) is not None
    running.remove(LEAVER.dn)
    configure(settings, staff)
    tasks.ask_directories.call()
    assert [clients[handle].get("/settings/").status_code for handle in ("leaver", "helper")] == [302, 200]
    assert Token.find(text, now=timezone.now()) is None


def test_locked_and_removed_accounts_do_not_sign_in(staff: Directory, running: Running) -> None:
    assert (come("locked")[0], come("gone")[0]) == ("locked", "gone")
    running.lock(LOCKED)
    running.remove(GONE.dn)
    assert (come("locked"), come("gone")) == (("", WRONG), ("", WRONG))
    for handle in ("locked", "gone"):  # nor with a passphrase of the exchange, should they have set one
        member = Member.objects.get(handle=handle)
        member.set_password("set by a mail")
        member.save()
        assert come(handle, "set by a mail") == ("", WRONG)


def test_passkey_alone_does_not_pass_by_the_directory(ada: Member, staff: Directory) -> None:
    come("newcomer")
    member = Member.objects.get(handle="newcomer")
    for who, status in ((member, 403), (ada, None)):
        request = RequestFactory().get("/")
        request.session = Client().session
        request.user = AnonymousUser()
        record_authentication(request, who, method="mfa", type="webauthn", passwordless=True)
        options = {"email_verification": "mandatory", "signal_kwargs": None, "email": None, "signup": False}
        answer = Adapter().pre_login(request, who, redirect_url=None, **options)
        assert (answer.status_code if answer else None) == status


def test_account_that_is_closed_here_stays_closed(staff: Directory) -> None:
    come("newcomer")
    Member.objects.update(is_active=False)
    assert come("newcomer")[0] == ""


def test_account_with_the_same_address_is_not_taken_over(ada: Member, staff: Directory, settings: Settings) -> None:
    registration.confirm(ada)
    assert come("ada")[1].startswith("There is an account with your address already.")
    assert (come("ada", "correct horse")[0], SocialAccount.objects.count()) == ("ada", 0)
    configure(settings, replace(staff, link_by_address=True, trust_addresses=False))
    assert come("ada")[0] == ""
    configure(settings, replace(staff, link_by_address=True))
    EmailAddress.objects.update(verified=False)
    assert come("ada")[0] == ""
    EmailAddress.objects.update(verified=True)
    assert come("ada") == ("ada", "")
    assert SocialAccount.objects.get().user == ada


def test_handle_of_another_is_not_taken(staff: Directory) -> None:
    Member.objects.create_user("newcomer", "other@mail.example", "correct horse")
    assert come("newcomer") == ("newcomer-2", "")
    assert Member.objects.get(handle="newcomer").socialaccount_set.count() == 0


def test_who_has_no_address_or_no_account_is_told(staff: Directory, settings: Settings) -> None:
    assert come("nomail")[1] == "Example Ltd. knows no e-mail address of you, without which there is no account here."
    configure(settings, replace(staff, sign_up=False))
    assert come("newcomer")[1].startswith("You have no account here, and Example Ltd. makes none.")
    assert Member.objects.count() == 0


def test_address_that_is_not_trusted_is_confirmed_by_mail(staff: Directory, settings: Settings) -> None:
    configure(settings, replace(staff, trust_addresses=False))
    assert come("newcomer")[0] == ""
    assert Mail.objects.get().recipient == "newcomer@example.org"


def test_second_factor_is_asked_for_all_the_same(staff: Directory) -> None:
    come("newcomer")
    TOTP.activate(Member.objects.get(), generate_totp_secret())
    answer = Client().post("/accounts/login/", {"login": "newcomer", "password": PASSPHRASE})
    assert answer.headers["Location"] == "/accounts/2fa/authenticate/"


def test_directory_that_is_down_is_said_and_members_of_the_exchange_sign_in(
    ada: Member, staff: Directory, settings: Settings
) -> None:
    registration.confirm(ada)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        configure(settings, replace(staff, port=nobody.getsockname()[1]))
        assert come("newcomer")[1].startswith("Example Ltd. does not answer at present.")
        assert come("ada", "correct horse") == ("ada", "")


def test_passphrase_of_the_exchange_itself_is_wrong_is_said_in_the_log(
    staff: Directory, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    configure(settings, replace(staff, bind_passphrase="another"))
    assert come("newcomer")[1].startswith("Example Ltd. does not answer at present.")
    assert f"{SERVICE} may not look for others" in caplog.text
    assert "another" not in caplog.text + repr(settings.SIGN_IN)


def test_member_connects_and_the_directory_decides_from_then_on(ada: Member, staff: Directory) -> None:
    registration.confirm(ada)
    client = signed_in(ada)
    assert "From then on Example Ltd. alone decides" in client.get("/settings/organisations/").content.decode()
    place = "/settings/organisations/staff/connect/"
    page = client.post(place, {"login": "helper", "passphrase": "wrong"}, follow=True).content.decode()
    assert "This login and passphrase do not fit." in page
    assert SocialAccount.objects.count() == 0
    client.post(place, {"login": "helper", "passphrase": PASSPHRASE})
    assert (come("helper")[0], come("ada", "correct horse")[0]) == ("ada", "")
    assert client.post("/settings/organisations/nobody/connect/", {}).status_code == 404
    number = SocialAccount.objects.get().pk
    assert "disconnect" not in client.get("/settings/organisations/").content.decode()
    assert client.post(f"/settings/organisations/{number}/disconnect/").status_code == 403


def test_account_of_another_is_not_connected(ada: Member, bob: Member, staff: Directory) -> None:
    for member in (bob, ada):
        signed_in(member).post("/settings/organisations/staff/connect/", {"login": "helper", "passphrase": PASSPHRASE})
    assert SocialAccount.objects.get().user == bob


def test_form_stays_where_only_a_directory_decides(ada: Member, staff: Directory, settings: Settings) -> None:
    registration.confirm(ada)
    configure(settings, staff, passphrases=False)
    page = Client().get("/accounts/login/").content.decode()
    assert 'name="password"' in page
    assert "signup" not in page
    assert (come("ada", "correct horse")[0], come("newcomer")[0]) == ("", "newcomer")

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.core.errors import HostError, MachineError
from jeos.vm import places
from jeos.vm.places import SOCKET_PATH_LIMIT, claim, claimed, make_private, places_of

HOLD = """
import sys
from jeos.vm.places import claim, places_of
from jeos.core.errors import MachineError
try:
    claim(places_of("web"), create=True)
except MachineError as error:
    sys.exit(error.message)
print("got", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JEOS_RUNTIME_DIR", str(tmp_path / "run"))


def holder() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_claim_by_two_processes_goes_to_one() -> None:
    racers = [holder(), holder()]
    outputs = []
    for racer in racers:
        assert racer.stdout is not None
        outputs.append(racer.stdout.readline())
    assert sorted(outputs) == ["", "got\n"]
    loser = racers[outputs.index("")]
    assert loser.communicate()[1] == "the machine web is in use by another jeos\n"
    assert claimed(places_of("web"))
    winner = racers[outputs.index("got\n")]
    winner.kill()
    winner.communicate()
    assert not claimed(places_of("web"))
    os.close(claim(places_of("web")))


def test_claim_is_held_by_a_child_that_inherits_it() -> None:
    descriptor = claim(places_of("web"), create=True)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    os.close(descriptor)
    assert claimed(places_of("web"))
    child.communicate()
    assert not claimed(places_of("web"))


def test_claimed_does_not_disturb_a_claim() -> None:
    assert not claimed(places_of("web"))
    descriptor = claim(places_of("web"), create=True)
    for _ in range(3):
        assert claimed(places_of("web"))
    with pytest.raises(MachineError, match="in use by another jeos"):
        claim(places_of("web"))
    os.close(descriptor)


def test_claim_on_nothing() -> None:
    with pytest.raises(MachineError, match="there is no machine web"):
        claim(places_of("web"))
    assert not places_of("web").folder.exists()


def test_places_have_short_sockets_under_a_long_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_RUNTIME_DIR", str(tmp_path / ("x" * 90)))
    found = places_of("web")
    for socket in (found.console, found.port, found.guest, found.control):
        assert len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT
    assert found == places_of("web")
    assert found.runtime != places_of("web2").runtime


def test_make_private_makes_a_folder_for_the_owner_only(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_make_private_refuses_what_others_can_change(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    for place in (tmp_path / "open", tmp_path / "link"):
        with pytest.raises(HostError, match="is not a folder of your own"):
            make_private(place)


def test_longest_socket_is_the_longest() -> None:
    found = places_of("web")
    names = [str(path.relative_to(found.runtime)) for path in found.sockets]
    assert max(map(len, names)) == len(places.LONGEST_SOCKET)

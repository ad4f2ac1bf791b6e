"""What every test starts from, however the tests were started."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Who starts the tests in the background of a script has them ignore SIGINT, and all programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A test is right or wrong, not fast or slow: hosts are busy.
settings.register_profile("any host", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any host")


@pytest.fixture
def own_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep machines below the test's own folder, and leave none behind."""
    from jeos.vm import session  # loads what other tests need not

    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JEOS_RUNTIME_DIR", str(tmp_path / "run"))
    yield
    for seen in session.all_seen():
        session.remove(seen.machine.name, force=True)


@pytest.fixture
def own_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the sockets of machines that are started once in a folder of the test's own, where none may stay behind."""
    from jeos.vm import first_start

    with tempfile.TemporaryDirectory(prefix="jeos-", dir=first_start.SHORT) as folder:
        monkeypatch.setattr(first_start, "SHORT", Path(folder))
        yield
        assert list(Path(folder).iterdir()) == []


# Files of the slow tests that take minutes, the longest first: they must not be what the others wait for.
LONGEST = (
    "test_system_kill",
    "test_backup_of_a_running_system",
    "test_update_cuts",
    "test_update_slots",
    "test_update",
    "test_convert_machines",
    "test_update_channel",
    "test_on_postgres",
    "test_export_everywhere",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; what is there in `make test-slow` is then given to processes in this order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))

import os
import socket
import threading
from pathlib import Path

import pytest

from jeos.core import errors
from jeos.core.errors import JeosError, MachineError
from jeos.vm import orders

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, JeosError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_keep_their_class_message_and_hint(kind: type[JeosError]) -> None:
    reading, writing = os.pipe()
    orders.report(writing, kind("it failed: ü", hint="do this"))
    os.close(writing)
    revived = orders.revive(orders.parse(os.read(reading, 1000)))
    os.close(reading)
    assert (type(revived), str(revived)) == (kind, "it failed: ü\nhint: do this")


def test_report_to_nobody_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    orders.report(writing, None)
    os.close(writing)


def test_order_without_a_supervisor(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"did not answer: .*No such file"):
        orders.order(tmp_path / "none.sock", {"order": "stop"}, patience=1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "did not answer: it hung up"),
        (b'{"kind": "HostE', "did not answer: it hung up"),
        (b'{"kind": "HostError", "message": "no room", "hint": ""}\n', "no room"),
        (b'{"kind": "Other", "message": "odd", "hint": ""}\n', "odd"),
    ],
)
def test_order_with_a_bad_answer(tmp_path: Path, answer: bytes, message: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "control.sock"))
        server.listen()

        def reply() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(JeosError, match=message):
            orders.order(tmp_path / "control.sock", {"order": "stop"}, patience=10)
        thread.join()

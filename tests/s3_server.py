"""A server that speaks S3 on this machine, in memory (moto), for tests of channels in buckets.

with bucket() as settings: ObjectBackend("s3://channel/hello", **settings)
"""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

NAME = "channel"


@contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """Serve an empty bucket called `NAME`; yield the settings to reach it with."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{NAME}", method="PUT")).close()
        yield {
            "endpoint": endpoint,
            "access_key_id": "test",
            "secret_access_key": "test",
            "region": "us-east-1",
        }
    finally:
        server.stop()


def headers() -> dict[str, dict[str, str]]:
    """Return what the server would send in front of each object, by the object's key."""
    found = s3_backends["123456789012"]["aws"].buckets[NAME].keys
    return {str(key): {name.title(): str(value) for name, value in found[key].metadata.items()} for key in found}

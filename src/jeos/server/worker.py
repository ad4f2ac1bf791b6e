"""The only way from the server to the steps of jeos (build, channel, store): tasks that a worker process runs.

A web request never starts a build, a machine or a program: it enqueues one of the tasks of this module, and
`jeos server work` (one or many of them, on one host or many) runs it. Import-linter holds that no other module of the
server imports a step.

    read_channel.enqueue("https://channel.example/appliance")
"""

from django_tasks import task

from jeos.channel import catalogue, metadata
from jeos.channel.backend import open_reader

JSON = dict[str, object]


@task(queue_name="steps")
def read_channel(place: str) -> list[JSON]:
    """Read the releases that a channel offers, newest first, as plain values for the catalogue.

    What the channel says about itself is returned as it is; whether to believe it is for who asked.
    """
    repository = metadata.look(open_reader(place), roots=())
    listed = catalogue.catalogue(open_reader(place), repository.targets())
    return [
        {
            "version": one.release.version,
            "date": one.release.date,
            "ring": one.terms.ring,
            "withdrawn": one.terms.withdrawn,
            "bytes": one.release.kernel.length
            + one.release.index.length
            + sum(pack.length for pack in one.release.packs),
            "patches_from": [patch.version for patch in one.release.patches],
        }
        for one in listed
    ]

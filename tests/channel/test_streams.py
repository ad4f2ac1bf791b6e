"""What patches have in common is made once, and comes out the same."""

from random import Random

from jeos.channel.differences import difference
from jeos.channel.streams import Memory, Streams


def changed(seed: int) -> tuple[bytes, bytes]:
    """Return two contents of which one grew out of the other."""
    random = Random(seed)
    old = random.randbytes(20_000)
    return old, old[:5_000] + random.randbytes(100) + old[5_000:12_000] + old[13_000:]


def test_memory_makes_a_result_once_for_each_key() -> None:
    memory = Memory()
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [memory.once(key, make) for key in ("a", "b", "a", "b")] == [0, 1, 0, 1]


def test_remembered_difference_is_the_one_that_was_made() -> None:
    memory = Memory()
    for seed in (1, 2, 1, 2):
        old, new = changed(seed)
        assert memory.difference(old, new) == difference(old, new)
        assert memory.difference(new, old) == difference(new, old)


def test_streams_with_a_memory_are_those_without() -> None:
    memory = Memory()
    old, new = changed(3)
    steps = [difference(old, new)]

    def written(streams: Streams) -> list[tuple[bytes, int]]:
        streams.add(new, prefix=old)
        streams.add(new)
        streams.add(new, level=3)
        streams.add_difference(steps)
        return streams.packed

    first, again, alone = written(Streams(memory)), written(Streams(memory)), written(Streams())
    assert first == again == alone
    assert len(first[0][0]) < len(first[1][0]) / 10

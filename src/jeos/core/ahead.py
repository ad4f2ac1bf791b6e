"""Work that threads do ahead of who needs its results, which come in the order of what was asked.

    with closing(in_order(pieces, pack, threads=2, most=8)) as packed:
        for data in packed:
            file.write(data)

At most so many results wait, so that memory stays bounded however slowly they are taken; what was asked is let go of
once it is worked on. Close it: what is asked for ahead may use what the caller is about to close.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Asked = TypeVar("Asked")
Result = TypeVar("Result")


def in_order(
    asked: Iterable[Asked], work: Callable[[Asked], Result], *, threads: int, most: int
) -> Generator[Result, None, None]:
    """Yield what `work` makes of each thing that is asked, in order; at most `most` are in work or wait.

    Raises what `work` raises, in its place in the order. Then, and when it is closed, nothing more is begun, and what
    was begun has ended.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for one in asked:
                waiting.append(pool.submit(work, one))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

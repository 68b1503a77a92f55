"""Puts questions to the judge from several threads, and hands the replies over one by one."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainingrun_workers.errors import StageError
from trainingrun_workers.judge.endpoint import Endpoint, Reply, Stopped


@dataclass(frozen=True)
class Asked:
    """One question: `key` says which, `text` is what the judge reads."""

    key: str
    text: str


def replies(endpoint: Endpoint, questions: Sequence[Asked], threads: int) -> Iterator[tuple[Asked, Reply]]:
    """Each question with its reply, in the order in which they come; the first StageError ends it.

    The threads are daemons and not a pool's, which the interpreter would wait for at its end: a pod that is told to
    stop has no time for a reply that takes minutes.
    """
    waiting: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Asked, Reply] | StageError | None] = queue.SimpleQueue()
    for one in questions:
        waiting.put(one)
    for _ in range(min(threads, len(questions))):
        threading.Thread(target=_work, args=(endpoint, waiting, done), name="judge", daemon=True).start()
    try:
        for _ in questions:
            found = done.get()
            if found is None:
                raise RuntimeError("A thread that asks the judge has ended early; its traceback is in the pod's log.")
            if isinstance(found, StageError):
                raise found
            yield found
    finally:
        endpoint.stop.set()


def _work(
    endpoint: Endpoint,
    waiting: "queue.SimpleQueue[Asked]",
    done: "queue.SimpleQueue[tuple[Asked, Reply] | StageError | None]",
) -> None:
    is_over = False
    try:
        while not endpoint.stop.is_set():
            one = waiting.get_nowait()
            done.put((one, endpoint.ask(one.text)))
        is_over = True
    except (queue.Empty, Stopped):
        is_over = True
    except StageError as error:
        is_over = True
        done.put(error)
    finally:
        if not is_over:
            done.put(None)

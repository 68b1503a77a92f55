"""Work on a volume that may have stopped answering: given up after some seconds, so that a pod can end all the same."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

Done = TypeVar("Done")
VOLUME_SECONDS: Final = 30.0  # for a few small files


def within(seconds: float, work: Callable[[], Done]) -> Done:
    """What the work yields, or the OSError that it raises; TimeoutError, which is one too, where it takes longer.

    What is given up goes on in a thread that keeps no process from ending. The work raises no other error.
    """
    done: Future[Done] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except OSError as error:
            done.set_exception(error)

    threading.Thread(target=run, name="patience", daemon=True).start()
    try:
        return done.result(seconds)
    except TimeoutError as error:
        if done.done():
            raise
        raise TimeoutError(f"no answer within {seconds:g} s") from error

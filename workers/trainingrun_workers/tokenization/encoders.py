"""What turns texts into ids: fastokens, and the tokenizers library, which is slower and what fastokens must equal."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# Pods are what work is spread over; a pod whose own environment names other numbers keeps them.
ONE_THREAD: Final = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "FASTOKENS_BPE_THREADS": "1"}
ENCODER_ERRORS: Final = (ImportError, PackageNotFoundError, ValueError, TypeError, RuntimeError, OSError)


@dataclass(frozen=True)
class Encoded:
    """The ids of some texts, one text after the other."""

    ids: NDArray[np.uint32]  # of all texts
    ends: NDArray[np.int64]  # place in `ids` behind each text's last id, one a text


class Encoder(Protocol):
    """Gives each text the ids of the tokenizer: nothing is added, cut off or filled up."""

    name: str  # with the version

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The ids of the texts; one of ENCODER_ERRORS where it can't."""
        ...


class Reference:
    """The tokenizers library: what the ids are."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.name = f"tokenizers {version('tokenizers')}"
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The ids of the texts; takes some 150 bytes of memory an id while it works."""
        with _panics_as_errors():
            made = [one.ids for one in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
        ends = np.cumsum(np.fromiter(map(len, made), np.int64, len(made)))
        total = int(ends[-1]) if len(made) else 0
        return Encoded(np.fromiter(chain.from_iterable(made), np.uint32, total), ends)


class Fast:
    """fastokens with the same tokenizer.json; ImportError, ValueError and others where it can't load it."""

    def __init__(self, file: Path) -> None:
        import fastokens

        self.name = f"fastokens {version('fastokens')}"
        with _panics_as_errors():
            self._tokenizer: Any = fastokens.Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The ids of the texts."""
        with _panics_as_errors():
            ids, starts = self._tokenizer.encode_batch_flat(list(texts), add_special_tokens=False)
        return Encoded(np.frombuffer(ids, "<u4"), np.frombuffer(starts, "<u8")[1:].astype(np.int64))


class LoadedAhead:
    """fastokens, which begins to load at once; called, it is waited for: what could not be loaded raises then."""

    def __init__(self, file: Path) -> None:
        use_one_thread()
        pool = ThreadPoolExecutor(1, "load")
        self._made: Future[Encoder] = pool.submit(Fast, file)
        pool.shutdown(wait=False)

    def __call__(self, _: Path) -> Encoder:
        """The encoder."""
        return self._made.result()


@contextmanager
def _panics_as_errors() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # Rust's: no module to import it from, and no Exception
            raise RuntimeError(f"panic: {error}") from error
        raise


def use_one_thread() -> None:
    """Keep both libraries to one thread; has to come before the first text."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)

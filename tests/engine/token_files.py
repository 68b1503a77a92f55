"""Makes one token file with datatrove's DocumentTokenizer or with the engine: `token_files.py ORDER.json`.

Run by the datatrove image's interpreter. Prints {"name", "fallback", "counts", "remade", "error", "resident",
"seconds"}.
"""

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ARRAY_BYTES = 16_000_000  # of text at most, as the stage's reader hands it over


def main(order: dict[str, Any]) -> dict[str, Any]:
    into, began = Path(order["into"]), time.process_time()
    into.mkdir(parents=True, exist_ok=True)
    said = {"theirs": theirs, "ours": ours}[order["way"]](order, into)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {**said, "resident": resident, "seconds": time.process_time() - began}


def theirs(order: dict[str, Any], into: Path) -> dict[str, Any]:
    from datatrove.data import Document
    from datatrove.pipeline.tokens import DocumentTokenizer

    step = DocumentTokenizer(
        str(into), order["tokenizer"], eos_token=order["end"], shuffle_documents=False, batch_size=100
    )
    step.tokenizer.no_truncation()
    step.tokenizer.no_padding()
    step.token_size = order["token_bytes"]
    texts = pq.read_table(order["texts"]).column("text").to_pylist()
    step.write_unshuffled((Document(text=one, id=str(place)) for place, one in enumerate(texts)), "00000.ds")
    return {}


def ours(order: dict[str, Any], into: Path) -> dict[str, Any]:
    from trainingrun_workers.errors import StageError
    from trainingrun_workers.tokenization.counts import Counts
    from trainingrun_workers.tokenization.encoders import Fast
    from trainingrun_workers.tokenization.engine import Engine, Remake
    from trainingrun_workers.tokenization.vocabulary import Vocabulary, load_tokenizer

    file = Path(order["tokenizer"])
    vocabulary = Vocabulary(file, order["end"], 0, "", load_tokenizer(file.read_bytes()))
    load = ENCODERS[order["encoder"]] if order.get("encoder") else Fast
    engine = Engine(vocabulary, order["tokenizer"], order["token_bytes"], load, order.get("threads", 1))
    begun, remade, error = engine.name, 0, ""
    while True:
        counts = Counts()
        try:
            engine.make_unit(arrays(order), order["end"], into, "00000.ds", counts, lambda _: None)
            break
        except Remake:
            remade += 1
        except StageError as refused:
            error = refused.message
            break
    return {
        "begun": begun, "name": engine.name, "fallback": engine.fallback, "counts": dataclasses.asdict(counts),
        "remade": remade, "error": error,
    }  # fmt: skip


def arrays(order: dict[str, Any]) -> Iterator[Any]:
    """The file's texts; or one document of `megabytes`, made of a word again and again."""
    if "megabytes" in order:
        word = order["word"].encode()
        whole = word * (order["megabytes"] * 1_000_000 // len(word))
        yield pa.LargeStringArray.from_buffers(
            1, pa.array([0, len(whole)], pa.int64()).buffers()[1], pa.py_buffer(whole)
        )
        return
    column = pq.read_table(order["texts"]).column("text").combine_chunks().cast(pa.large_string())
    at = 0
    while at < len(column):
        size = max(1, min(len(column) - at, 1 + at % 37))  # slices of many sizes
        yield column.slice(at, size)
        at += size


class LooksRight:
    """fastokens, but a document that begins with a certain word gets its first id twice."""

    def __init__(self, file: Path) -> None:
        from trainingrun_workers.tokenization.encoders import Fast

        self._fast = Fast(file)
        self.name = "wrong 0.0"

    def encode(self, texts: Any) -> Any:
        from trainingrun_workers.tokenization.encoders import Encoded

        encoded = self._fast.encode(texts)
        ids, begin = encoded.ids.copy(), 0
        for text, end in zip(texts, encoded.ends.tolist(), strict=True):
            if text.startswith("stumble"):
                ids[begin] = ids[end - 1]
            begin = end
        return Encoded(ids, encoded.ends)


class WrongFromTheStart(LooksRight):
    """Leaves the last id of every text away."""

    def encode(self, texts: Any) -> Any:
        import numpy as np

        from trainingrun_workers.tokenization.encoders import Encoded

        one = [self._fast.encode([text]).ids[:-1] for text in texts]
        return Encoded(np.concatenate(one), np.cumsum([len(ids) for ids in one]))


class Refuses(LooksRight):
    """Can't encode a document that begins with a certain word."""

    def encode(self, texts: Any) -> Any:
        if any(text.startswith("stumble") for text in texts):
            raise ValueError("stumbled over a stone")
        return self._fast.encode(texts)


def no_such_package(file: Path) -> Any:
    raise ImportError("No module named 'fastokens'")


def reference(file: Path) -> Any:
    raise ValueError("the test wants the other one")


ENCODERS: dict[str, Any] = {
    "looks right": LooksRight,
    "wrong": WrongFromTheStart,
    "refuses": Refuses,
    "missing": no_such_package,
    "reference": reference,
}

if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))

"""What NLTK needs to count sentences, for IFEval: the harness would fetch it from the network while it is imported."""

from pathlib import Path
from typing import Final

from trainingrun_workers.errors import BadData

FOLDER: Final = "nltk_data"  # in the folder of data sets
_PUNKT: Final = "tokenizers/punkt_tab"
_COUNTS: Final = frozenset({"ifeval"})  # ifeval-ita counts by itself


def find_sentence_data(task: str, datasets: Path | None) -> None:
    """Let NLTK look into the folder of data sets only; BadData where a task counts sentences and it isn't there."""
    if "ifeval" not in task:
        return
    import nltk

    nltk.download = lambda *_, **__: False  # pods have no network, and it would wait for it
    if datasets is not None and str(datasets / FOLDER) not in nltk.data.path:
        nltk.data.path.insert(0, str(datasets / FOLDER))
    try:
        nltk.data.find(_PUNKT)
    except LookupError as error:
        if task in _COUNTS:
            place = datasets / FOLDER / _PUNKT if datasets else f"{FOLDER}/{_PUNKT} in evaluate.datasetFolder"
            raise BadData(
                "TaskDataMissing",
                f"Task {task} counts sentences by NLTK's punkt_tab, but there is no {place}: unpack punkt_tab.zip of "
                "nltk_data there.",
            ) from error

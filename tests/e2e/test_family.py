"""Two runs that are applied at once and share English tokenize it once, on a real claim."""

import datetime
from collections.abc import Callable
from typing import Any

from e2e import volume
from e2e.trial import Trial

DOCUMENTS = 77  # of each source: a number that no other test has, so that its tokens are this test's own


def bilingual(run: Trial, language: str) -> Trial:
    """English and another language, both cut short."""
    (english,) = run.spec["data"]
    english |= {"weight": 0.5, "limit": DOCUMENTS}
    run.spec["data"] = [english, english | {"name": f"handbook-{language}", "path": f"raw/{language}"}]
    return run


def test_of_two_runs_with_the_same_english_the_later_uses_what_the_earlier_made(
    trial: Callable[..., Trial], data: volume.Visit
) -> None:
    runs = [bilingual(trial(f"family-{one}", seed=seed), one) for one, seed in (("es", 711), ("fr", 712))]
    for run in runs:
        run.apply()
    for run in runs:
        run.until_stage("tokenize", "Succeeded", 120)
    earlier, later = sorted((run.stage("tokenize") for run in runs), key=lambda one: str(one["startedAt"]))
    assert (earlier["output"]["reusedSources"], later["output"]["reusedSources"]) == ("", "handbook-en")
    english = earlier["tokens"]["handbook-en"]
    assert later["tokens"]["handbook-en"] == english
    made = int(data.sh(f"stat -c %Y {english}/COMPLETE.json"))
    assert made <= datetime.datetime.fromisoformat(later["startedAt"]).timestamp(), "the later did not wait"
    assert made <= _seconds(data, earlier) < _seconds(data, later)
    tokens = int(later["output"]["reusedTokens"])
    assert int(later["output"]["reusedBytes"]) == 2 * tokens == _size(data, english)
    assert float(earlier["output"]["textBytesPerCpuSecond"]) > 0


def _seconds(data: volume.Visit, stage: dict[str, Any]) -> int:
    """When a tokenize stage's own folder was complete, by the volume's clock."""
    return int(data.sh(f"stat -c %Y {stage['folder']}/COMPLETE.json"))


def _size(data: volume.Visit, folder: str) -> int:
    return sum(int(one) for one in data.sh(f"stat -c %s {folder}/*.ds").split())

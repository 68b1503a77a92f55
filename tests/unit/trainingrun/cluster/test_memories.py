"""What is remembered between passes: answers, problems, snapshots."""

import asyncio
import dataclasses

from trainingrun.cluster.problems import Problems
from trainingrun.cluster.recent import Recent
from trainingrun.cluster.snapshots import Snapshots
from trainingrun_workers.contract import Snapshot

JOB = ("Job", "tiny-a1")
SNAPSHOT = Snapshot("default", "tiny", "u", "pretrain", 2, 0, 100.0, step=10, total=100)


class Questions:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False

    async def __call__(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionError
        return self.asked


async def test_an_answer_is_good_for_a_while() -> None:
    now, ask = 0.0, Questions()
    recent: Recent[str, int] = Recent(lambda: now)
    assert [await recent.get("a", 10.0, ask), await recent.get("a", 10.0, ask)] == [1, 1]
    now = 11.0
    assert await recent.get("a", 10.0, ask) == 2
    recent.forget("a")
    assert await recent.get("a", 10.0, ask) == 3


async def test_many_who_ask_at_once_share_one_question() -> None:
    ask = Questions()
    recent: Recent[str, int] = Recent()
    answers = await asyncio.gather(*(recent.get("a", 10.0, ask) for _ in range(20)))
    assert (set(answers), ask.asked) == ({1}, 1)


async def test_a_failure_is_not_remembered() -> None:
    ask = Questions()
    recent: Recent[str, int] = Recent()
    ask.fails = True
    failed = await asyncio.gather(*(recent.get("a", 10.0, ask) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in failed] == [ConnectionError] * 3
    ask.fails = False
    assert await recent.get("a", 10.0, ask) == 2


def test_a_refusal_is_told_at_once_and_then_tried_more_and_more_rarely() -> None:
    problems = Problems()
    waits = [problems.note("u", JOB, "over quota") for _ in range(8)]
    assert waits[:4] == [0.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 60.0
    assert problems.of("u") == {"tiny-a1": "over quota"}
    assert problems.note("u", JOB, "forbidden") == 0.0
    problems.clear("u", JOB)
    assert problems.of("u") == {}


def test_a_failure_that_does_not_pass_is_told_in_the_end() -> None:
    problems = Problems()
    for _ in range(3):
        problems.note_failure("u", JOB, "The webhook does not answer.")
    assert problems.of("u") == {}
    problems.note_failure("u", JOB, "The webhook does not answer.")
    assert problems.of("u") == {"tiny-a1": "The webhook does not answer. The operator tries again."}
    assert problems.clear("u", JOB)
    problems.note_failure("u", JOB, "The webhook does not answer.")
    assert problems.of("u") == {}


def test_an_object_that_is_made_says_nothing_of_another_of_its_name() -> None:
    problems = Problems()
    problems.note("u", JOB, "over quota")
    assert not problems.clear("u", ("ConfigMap", "tiny-a1"))
    assert problems.note("u", JOB, "over quota") == 2.0
    assert problems.of("u") == {"tiny-a1": "over quota"}


def test_problems_of_what_nobody_wants_any_more_are_forgotten() -> None:
    problems = Problems()
    problems.note("u", JOB, "over quota")
    problems.keep("u", ())
    assert problems.of("u") == {}


def test_the_newest_snapshot_of_each_pod_is_kept() -> None:
    snapshots = Snapshots()
    snapshots.put(SNAPSHOT)
    snapshots.put(dataclasses.replace(SNAPSHOT, time=90.0, step=5))
    snapshots.put(dataclasses.replace(SNAPSHOT, index=1))
    assert sorted((one.index, one.step) for one in snapshots.of("u")) == [(0, 10), (1, 10)]
    snapshots.put(dataclasses.replace(SNAPSHOT, attempt=3, time=1.0, step=0))
    assert {one.attempt for one in snapshots.of("u") if one.index == 0} == {3}
    snapshots.put(dataclasses.replace(SNAPSHOT, attempt=2, time=999.0))
    assert {one.attempt for one in snapshots.of("u") if one.index == 0} == {3}
    snapshots.forget("u")
    assert snapshots.of("u") == ()


def test_a_report_is_news_when_it_brings_more_than_progress() -> None:
    snapshots = Snapshots()
    assert snapshots.put(SNAPSHOT)
    assert not snapshots.put(dataclasses.replace(SNAPSHOT, time=101.0, step=11))
    assert snapshots.put(dataclasses.replace(SNAPSHOT, time=102.0, step=12, checkpoint=10, checkpoints=(10,)))
    assert snapshots.put(dataclasses.replace(SNAPSHOT, time=103.0, step=100, checkpoint=10, checkpoints=(10,)))

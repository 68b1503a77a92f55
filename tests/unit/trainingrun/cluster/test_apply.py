from trainingrun.api.progress import Progress
from trainingrun.api.status import Attempt, StageStatus, TrainingRunStatus
from trainingrun.api.training_run import parse_status
from trainingrun.cluster.apply import status_document


def test_a_status_is_written_without_what_stages_do_not_say_and_comes_back_equal() -> None:
    running = StageStatus(name="pretrain", kind="pretrain", phase="Running", attempt=1, progress=Progress(total=9))
    attempts = [Attempt(stage="pretrain", number=number, started_at="") for number in (1, 2)]
    attempts[1] = attempts[1].model_copy(update={"nodes": ["n1", "n3"]})
    status = TrainingRunStatus(stages=[StageStatus(name="tokenize", kind="tokenize"), running], attempts=attempts)
    written = status_document(status)
    assert written["stages"][0] == {"name": "tokenize", "kind": "tokenize", "phase": "Pending"}
    assert written["stages"][1]["progress"] == {"step": 0, "total": 9, "unit": "steps"}
    assert [one.get("nodes") for one in written["attempts"]] == [None, ["n1", "n3"]]
    assert parse_status(written) == status

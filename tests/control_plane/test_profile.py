"""A profile from the command over the operator to the gang, whose part the test plays, and back."""

import json
import threading
import time
from typing import Any

from control_plane.api import Api, Object, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator
from control_plane.test_command import Command, attempt, command, stage
from control_plane.test_reports import TIME, Stage
from trainingrun.api import names
from trainingrun.commands.acting import POLL_SECONDS
from trainingrun_workers.contract import Answer, Profile

__all__ = ["command"]


def test_a_profile_reaches_the_gang_with_the_answer_to_its_report_and_its_end_reaches_the_command(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object, command: Command
) -> None:
    del manifest["spec"]["evaluate"]
    run = api.create(manifest)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    pod = kubelet.start(until(lambda: attempt(kubelet, "tiny-pretrain-a1")))[0]
    assert command("profile", "tiny")[0] == 1, "no step is known of yet"
    gang = Stage(api, namespace, run, pod)

    def told(**fields: Any) -> Profile | None:
        known: dict[str, Any] = {"stage": "pretrain", "time": TIME, "step": 320, "total": 900} | fields
        status, text = operator.answer(names.REPORT_PATH, gang.report(**known), gang.token())
        assert status == 200
        answer = Answer.from_text(text)
        return answer.profile if answer is not None else None

    assert told(measured={"mfu": 0.31, "step_spread": 1.25}) is None
    until(lambda: stage(api, namespace, "pretrain").get("progress", {}).get("step") == 320)
    assert stage(api, namespace, "pretrain")["progress"]["measured"] == {"mfu": 0.31, "stepSpread": 1.25}

    outcome: list[tuple[int, str, str]] = []
    asking = threading.Thread(target=lambda: outcome.append(command("profile", "tiny", "--steps", "4", "--all-ranks")))
    asking.start()
    wish = until(told, 30)
    assert (wish.attempt, wish.steps, wish.rank) == (1, 4, None)
    time.sleep(6 * POLL_SECONDS)  # so that the first has read its answer, in whose place the next one's will stand
    code, _, error = command("profile", "tiny")
    assert (code, error) == (1, f"Nothing was done: it is being profiled already, as {wish.name}; wait for that.\n")
    assert told() == wish, "the first is still wanted"

    told(time=TIME + 60, step=330, profile=wish.name, profile_error="Rank 1 could not write its trace.")
    asking.join(60)
    assert outcome == [(1, "", "There is no profile: Rank 1 could not write its trace.\n")]
    assert json.loads(command("status", "tiny", "-o", "json")[1])["status"]["phase"] == "Running"

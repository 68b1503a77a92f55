import pytest
from hypothesis import given
from hypothesis import strategies as some

from trainingrun.cluster.views import claim_view, newest_warning, node_is_ready, pod_index, seen_pod, seen_work
from trainingrun_workers.contract import Result
from unit.trainingrun.cluster.objects import Raw, a_container, a_pod, a_work, metadata


def test_a_running_pod_has_started_and_nothing_more() -> None:
    running = a_container(running={"startedAt": "2027-01-15T08:00:05Z"})
    seen = seen_pod(a_pod(containerStatuses=[running], conditions=[{"type": "Ready", "status": "True"}]))
    view = seen.view
    assert (view.stage, view.attempt, view.phase, view.node) == ("pretrain", 2, "Running", "node-1")
    assert (view.started, view.exit_code, view.result, seen.ready) == (True, None, None, True)


def test_the_last_words_of_the_main_container_are_read() -> None:
    words = Result(75, "PeerLost", "Rank 1 went away.", step=300)
    ended = {
        "exitCode": 75,
        "reason": "Error",
        "message": words.to_json(),
        "startedAt": "2027-01-15T08:00:05Z",
        "finishedAt": "2027-01-15T08:10:05Z",
    }
    sidecar = a_container("sidecar", running={})
    view = seen_pod(a_pod(containerStatuses=[sidecar, a_container(terminated=ended)])).view
    assert (view.exit_code, view.ended_reason, view.result) == (75, "Error", words)
    assert view.ended_at == 1_800_000_605.0
    assert view.started


def test_last_words_of_another_kind_are_none() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled", "message": "Traceback (most recent call last)"}
    view = seen_pod(a_pod(containerStatuses=[a_container(terminated=ended)])).view
    assert (view.exit_code, view.ended_reason, view.result, view.started) == (137, "OOMKilled", None, False)


def test_a_container_that_cant_start_says_why() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such host"}
    view = seen_pod(a_pod(phase="Pending", containerStatuses=[a_container(waiting=waiting)])).view
    assert view.waiting_reason == "ImagePullBackOff"
    assert (view.waiting_message, view.waiting_image) == ("no such host", "registry.example/pytorch:1")


def test_an_init_container_that_cant_start_says_why() -> None:
    init = a_container("init-pytorch", waiting={"reason": "ErrImagePull"})
    main = a_container(waiting={"reason": "PodInitializing"})
    view = seen_pod(a_pod(initContainerStatuses=[init], containerStatuses=[main])).view
    assert (view.waiting_reason, view.waiting_image) == ("ErrImagePull", "registry.example/init-pytorch:1")


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_what_every_pod_goes_through_is_no_trouble(reason: str) -> None:
    view = seen_pod(a_pod(containerStatuses=[a_container(waiting={"reason": reason})])).view
    assert view.waiting_reason == ""


def test_a_pod_without_a_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes …"}
    assert seen_pod(a_pod(conditions=[condition])).view.unschedulable == "0/3 nodes …"
    gated = {**condition, "reason": "SchedulingGated"}
    assert seen_pod(a_pod(conditions=[gated])).view.unschedulable == ""


def test_a_disruption_is_seen_only_while_it_holds() -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    assert seen_pod(a_pod(conditions=[condition])).view.disrupted == "PreemptionByScheduler"
    assert seen_pod(a_pod(conditions=[{**condition, "status": "False"}])).view.disrupted == ""


def test_a_pod_that_was_failed_before_it_ran_tells_the_kubelets_reason() -> None:
    view = seen_pod(a_pod(phase="Failed", reason="Evicted", message="The node was low on memory.")).view
    assert (view.phase, view.status_reason, view.exit_code) == ("Failed", "Evicted", None)


def test_a_pod_that_is_being_deleted_has_until_its_deadline() -> None:
    raw = a_pod()
    raw["metadata"]["deletionTimestamp"] = "2027-01-15T08:02:00Z"
    seen = seen_pod(raw)
    assert seen.view.deleting
    assert seen.deletion_deadline == 1_800_000_120.0


@pytest.mark.parametrize(
    ("labels", "annotations", "index"),
    [
        ({}, {}, 0),
        ({}, {"batch.kubernetes.io/job-completion-index": "3"}, 3),
        ({"training.kubeflow.org/replica-type": "master", "training.kubeflow.org/replica-index": "0"}, {}, 0),
        ({"training.kubeflow.org/replica-type": "worker", "training.kubeflow.org/replica-index": "2"}, {}, 3),
    ],
)
def test_the_index_is_the_completion_index_or_the_rank(
    labels: dict[str, str], annotations: dict[str, str], index: int
) -> None:
    assert pod_index(metadata("pod", labels=labels, annotations=annotations)) == index


def test_work_is_seen_with_its_owner_and_what_it_was_rendered_from() -> None:
    seen = seen_work("PyTorchJob", a_work())
    assert (seen.view.kind, seen.view.stage, seen.view.attempt, seen.view.rendered) == (
        "PyTorchJob",
        "pretrain",
        2,
        "abc",
    )
    assert (seen.owner, seen.view.end, seen.view.deleting) == ("run-uid", "", False)


@pytest.mark.parametrize(
    ("condition", "end"),
    [("Complete", "Complete"), ("Succeeded", "Complete"), ("Failed", "Failed"), ("FailureTarget", ""), ("Running", "")],
)
def test_the_end_of_work_is_read_from_its_conditions(condition: str, end: str) -> None:
    when = "2027-01-15T08:00:00Z"
    one = {"type": condition, "status": "True", "lastTransitionTime": when, "message": "So it is."}
    view = seen_work("Job", a_work(conditions=[one])).view
    assert view.end == end
    assert (view.ended_at, view.end_message) == ((1_800_000_000.0, "So it is.") if end else (None, ""))
    assert seen_work("Job", a_work(conditions=[{**one, "status": "False"}])).view.end == ""


def test_a_claim_is_as_large_as_what_it_has_got() -> None:
    raw = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    waiting = claim_view(raw)
    assert (waiting.phase, waiting.capacity, waiting.access_modes) == ("Pending", 10 * 2.0**30, ("ReadWriteMany",))
    bound = claim_view({**raw, "status": {"phase": "Bound", "capacity": {"storage": "20Gi"}}})
    assert (bound.phase, bound.capacity) == ("Bound", 20 * 2.0**30)


def test_a_node_that_is_gone_or_silent_is_not_ready() -> None:
    ready = {"type": "Ready", "status": "True"}
    assert node_is_ready({"status": {"conditions": [ready]}})
    assert not node_is_ready({"status": {"conditions": [{**ready, "status": "Unknown"}]}})
    assert not node_is_ready(None)


def test_the_newest_warning_is_told() -> None:
    events: list[dict[str, object]] = [
        {"lastTimestamp": "2027-01-15T08:00:00Z", "message": "older"},
        {"lastTimestamp": None, "eventTime": "2027-01-15T09:00:00.000000Z", "message": "newer"},
    ]
    assert newest_warning(events) == "newer"
    assert newest_warning([]) == ""


@given(some.text(), some.none() | some.text(max_size=5))
def test_no_termination_message_breaks_a_view(message: str, reason: str | None) -> None:
    ended = {"exitCode": 1, "reason": reason, "message": message}
    assert seen_pod(a_pod(containerStatuses=[a_container(terminated=ended)])).view.exit_code == 1


@pytest.mark.parametrize(
    ("spec", "suspended"),
    [({}, False), ({"suspend": True}, True), ({"suspend": False}, False), ({"runPolicy": {"suspend": True}}, True)],
)
def test_a_job_that_a_queue_holds_back_is_seen_as_suspended(spec: dict[str, object], suspended: bool) -> None:
    raw = {"metadata": {"name": "a", "uid": "u"}, "spec": spec}
    assert seen_work("Job", raw).view.suspended is suspended


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [{"uid": "u", "kind": "ReplicaSet", "name": "tiny-pretrain-a2", "controller": True}],
        [{"uid": "u", "kind": "Job", "name": "a-job-of-the-users", "controller": True}],
        [{"uid": "u", "kind": "PyTorchJob", "name": "tiny-pretrain-a2"}],
    ],
    ids=["nobody", "another kind", "another job", "no controller"],
)
def test_a_pod_with_an_attempts_labels_and_another_owner_belongs_to_no_attempt(owners: list[Raw]) -> None:
    raw = a_pod()
    assert seen_pod(raw).owner == "work-uid"
    raw["metadata"]["ownerReferences"] = owners
    assert seen_pod(raw).owner == ""

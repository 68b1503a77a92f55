from typing import Any

from builders import a_manifest, with_uid
from trainingrun.cluster.kinds import CONFIG_MAP, JOB, POD, PYTORCHJOB, RUN
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.store import Store
from unit.trainingrun.cluster.objects import a_pod, a_work, metadata

TINY: Key = ("default", "tiny")


def a_run(name: str = "tiny", version: int = 1, uid: str = "run-uid", **stage: Any) -> dict[str, Any]:
    raw = with_uid(a_manifest(name), uid)
    raw["metadata"] |= {"resourceVersion": str(version), "managedFields": [{"manager": "kubectl"}]}
    if stage:
        raw["status"] = {"stages": [{"name": "tokenize", "kind": "tokenize", **stage}]}
    return raw


def test_what_is_new_tells_its_run() -> None:
    store = Store()
    assert store.put(JOB, a_work()) == TINY
    assert store.put(JOB, a_work()) is None
    assert store.put(JOB, a_work(version=2)) == TINY


def test_an_older_sight_never_replaces_a_newer_one() -> None:
    store = Store()
    complete = {"type": "Complete", "status": "True"}
    store.put(JOB, a_work(version=7, conditions=[complete]))
    assert store.put(JOB, a_work(version=6)) is None
    assert store.jobs.of(TINY)[0].value.view.end == "Complete"


def test_what_was_deleted_does_not_come_back() -> None:
    store = Store()
    store.put(PYTORCHJOB, a_work())
    assert store.remove(PYTORCHJOB, "uid-tiny-pretrain-a2") == TINY
    assert store.put(PYTORCHJOB, a_work(version=9)) is None
    assert store.pytorchjobs.of(TINY) == ()


def test_objects_of_nobodys_run_are_left_alone() -> None:
    raw = a_pod()
    raw["metadata"]["labels"] = {}
    assert Store().put(POD, raw) is None


def test_a_run_comes_out_as_it_went_in_but_for_its_managed_fields() -> None:
    store, raw = Store(), a_run()
    store.put(RUN, raw)
    entry = store.run(TINY)
    assert entry is not None
    del raw["metadata"]["managedFields"]
    assert entry.value.raw == raw


def test_a_run_that_was_made_again_is_the_one_that_counts() -> None:
    store = Store()
    store.put(RUN, a_run(version=5, uid="first"))
    store.put(RUN, a_run(version=9, uid="second"))
    entry = store.run(TINY)
    assert entry is not None and entry.uid == "second"
    store.remove(RUN, "first")
    entry = store.run(TINY)
    assert entry is not None and entry.uid == "second"


def test_config_maps_are_known_by_name_and_owner() -> None:
    store = Store()
    store.put(CONFIG_MAP, {"metadata": metadata("tiny-tokenize-a1")})
    assert [(one.value.name, one.value.owner) for one in store.config_maps.of(TINY)] == [
        ("tiny-tokenize-a1", "run-uid")
    ]


def test_runs_on_one_claim_see_what_the_others_work_on() -> None:
    store = Store()
    store.put(RUN, a_run("a", 1, "a", phase="Running", attempt=1, folder="artifacts/x"))
    store.put(RUN, a_run("b", 2, "b", phase="Succeeded", attempt=1, folder="artifacts/y"))
    assert [(one.name, one.working_on) for one in store.neighbours("default", "quickstart", "b")] == [
        ("a", ("artifacts/x",))
    ]
    assert store.neighbours("default", "quickstart", "a") == ()
    assert store.neighbours("other", "quickstart", "b") == ()


def test_the_folders_of_a_stages_tokens_are_worked_on_as_well_but_not_while_it_waits_for_anothers() -> None:
    store = Store()
    tokens = {"folder": "artifacts/x", "tokens": {"english": "artifacts/tokens/e"}}
    store.put(RUN, a_run("a", 1, "a", phase="Running", attempt=1, **tokens))
    store.put(RUN, a_run("b", 2, "b", phase="Waiting", attempt=1, reason="FolderInUse", **tokens))
    assert [one.working_on for one in store.neighbours("default", "quickstart", "c")] == [
        ("artifacts/x", "artifacts/tokens/e")
    ]


def test_an_intention_is_seen_before_it_is_written_and_gone_when_it_was_not() -> None:
    store = Store()
    store.put(RUN, a_run("a", 1, "a"))
    stages = [{"phase": "Running", "attempt": 1, "folder": "artifacts/x"}]
    store.intend(("default", "a"), "quickstart", "2027-01-15T08:00:00Z", {"stages": stages})
    assert [one.name for one in store.neighbours("default", "quickstart", "b")] == ["a"]
    store.put(RUN, a_run("a", 2, "a"))
    assert store.neighbours("default", "quickstart", "b") == ()


def test_a_run_that_waits_for_a_folder_is_rung_when_it_is_free() -> None:
    rung: list[Key] = []
    store = Store(rung.append)
    store.put(RUN, a_run("a", 1, "a", phase="Running", attempt=1, folder="artifacts/x"))
    store.put(RUN, a_run("b", 2, "b", phase="Waiting", attempt=0, reason="FolderInUse"))
    store.put(RUN, a_run("c", 3, "c", phase="Waiting", attempt=0, reason="WaitingForStage"))
    assert rung == []
    store.put(RUN, a_run("a", 4, "a", phase="Succeeded", attempt=1, folder="artifacts/x"))
    assert rung == [("default", "b")]


def test_a_run_that_waits_for_a_folder_is_rung_when_the_other_is_deleted() -> None:
    rung: list[Key] = []
    store = Store(rung.append)
    store.put(RUN, a_run("a", 1, "a", phase="Running", attempt=1, folder="artifacts/x"))
    store.put(RUN, a_run("b", 2, "b", phase="Waiting", attempt=0, reason="FolderInUse"))
    store.remove(RUN, "a")
    assert rung == [("default", "b")]

"""`trainingrun artifacts`, with the worker's real code on a real folder; only the API server is a stand-in."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders import a_manifest, with_uid
from trainingrun.cli import main
from trainingrun.commands import acting, freeing, volume_pod
from trainingrun.commands.artifact_table import table
from trainingrun.commands.artifact_users import referred
from trainingrun.commands.manifest import CommandError

WORKERS = Path(__file__).parents[4] / "workers"
IMAGES = {"tokenize": "registry.example/datatrove:1", "pretrain": "registry.example/nanotron:1"}
Capture = pytest.CaptureFixture[str]


def a_run(name: str = "one", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return with_uid(a_manifest(name, **spec)) | {"status": status or {}}


def folders_of(name: str = "one") -> frozenset[str]:
    return referred(a_run(name)) or frozenset()


class Cluster:
    """An API server and a kubelet for pods on one claim, in the place of kubectl."""

    def __init__(self, volume: Path) -> None:
        self.volume, self.runs = volume, list[dict[str, Any]]()
        self.pods: dict[str, Any] = {}
        self.manifests: list[dict[str, Any]] = []
        self.after: dict[str, Callable[[], None]] = {}  # what happens after a pod of this subcommand has ended
        self.variables = {"TRAININGRUN_IMAGES": json.dumps(IMAGES), "TRAININGRUN_RUN_AS_USER": "1000"}
        self.readable = True

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        verb, what = arguments[:2]
        if verb == "create":
            return self._run(json.loads(stdin or ""))
        if verb == "logs":
            return str(self.pods[what][1])
        if verb == "delete":
            del self.pods[arguments[2]]
        return ""

    def get(self, what: str, *arguments: str) -> Any:
        if what == "pod":
            return {"status": {"phase": self.pods[arguments[0]][0]}}
        if what.startswith("trainingruns"):
            return {"items": self.runs}
        if not self.readable:
            raise CommandError("kubectl get deployments failed: it is forbidden")
        env = [{"name": name, "value": value} for name, value in self.variables.items()]
        env.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
        return {"items": [{"spec": {"template": {"spec": {"containers": [{"env": env}]}}}}]}

    def _run(self, manifest: dict[str, Any]) -> str:
        self.manifests.append(manifest)
        (container,) = manifest["spec"]["containers"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKERS), "TRAININGRUN_VOLUME": str(self.volume)}
        done = subprocess.run(
            [sys.executable, "-m", "trainingrun_workers", *container["args"]], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        name = manifest["metadata"]["generateName"] + str(len(self.manifests))
        self.pods[name] = ("Failed" if done.returncode else "Succeeded", done.stdout)
        self.after.get(container["args"][1], lambda: None)()
        return json.dumps({"metadata": {"name": name}})


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path)
    monkeypatch.setattr(volume_pod, "Kubectl", lambda *_: made)
    return made


def put(volume: Path, *paths: str, seconds: float = 3600) -> None:
    """Artifacts that were last changed so long ago."""
    then = time.time() - seconds
    for path in paths:
        (volume / path).mkdir(parents=True)
        (volume / path / "file").write_bytes(b"x" * 1000)
        os.utime(volume / path / "file", (then, then))
        os.utime(volume / path, (then, then))


def there(volume: Path) -> set[str]:
    return {str(path.parent.relative_to(volume)) for path in volume.rglob("file")}


def test_the_table_has_a_line_for_each_folder_the_largest_of_a_kind_first() -> None:
    def artifact(kind: str, name: str, size: int, *runs: str) -> dict[str, Any]:
        path = f"artifacts/{kind}/{name}"
        return {"kind": kind, "path": path, "bytes": size, "ageSeconds": 7300, "complete": True, "usedBy": runs}

    assert table(
        [artifact("tokens", "a", 10), artifact("tokens", "b", 2000, "x", "y"), artifact("convert", "c", 1)]
    ) == [
        "KIND     FOLDER               SIZE      AGE  COMPLETE  USED BY",
        "convert  artifacts/convert/c  1 bytes   2h   yes       -",
        "tokens   artifacts/tokens/b   2 kB      2h   yes       x, y",
        "tokens   artifacts/tokens/a   10 bytes  2h   yes       -",
    ]


def test_the_listing_names_who_uses_what(cluster: Cluster, capsys: Capture) -> None:
    mine = next(one for one in sorted(folders_of()) if "/tokens/" in one)
    put(cluster.volume, mine, "artifacts/tokens/left")
    cluster.runs = [a_run(name, storage={"claimName": "data"}) for name in ("one", "two")]
    assert main(["artifacts", "data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["KIND", "FOLDER", "SIZE", "AGE", "COMPLETE", "USED", "BY"]
    assert {tuple(line.split(maxsplit=6)) for line in lines[1:3]} == {
        ("tokens", mine, "1", "kB", "60m", "no", "one, two"),
        ("tokens", "artifacts/tokens/left", "1", "kB", "60m", "no", "-"),
    }
    assert lines[-1] == "2 folders, 2 kB."
    assert main(["artifacts", "data", "--unused", "-o", "json"]) == 0
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["artifacts"]] == ["artifacts/tokens/left"]
    assert cluster.pods == {}


def test_what_would_be_removed_is_said_and_removed_with_yes_alone(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, *folders_of(), "artifacts/tokens/left", "runs/default/gone-1234")
    put(cluster.volume, "artifacts/tokens/young", seconds=60)
    cluster.runs = [a_run("one", storage={"claimName": "data"})]
    before = there(cluster.volume)
    assert main(["artifacts", "data", "--remove-unused"]) == 0
    said = capsys.readouterr().out
    assert "Would be removed: artifacts/tokens/left\n--yes removes 1 folder, 1 kB.\n" in said
    assert "1 folder of it changed within 900 s and stay: see --older-than.\n" in said
    assert there(cluster.volume) == before
    assert main(["artifacts", "data", "--remove-unused", "--yes"]) == 0
    assert "Removed: artifacts/tokens/left\n1 folder removed.\n" in capsys.readouterr().out
    assert there(cluster.volume) == before - {"artifacts/tokens/left"}
    assert cluster.pods == {}


def test_where_nothing_may_go_yet_it_is_said_why_and_nothing_of_removing(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, "artifacts/tokens/young", seconds=60)
    put(cluster.volume, "artifacts/release/left")
    (cluster.volume / "artifacts/release/left/COMPLETE.json").write_text("{}")
    cluster.runs = [a_run("one", storage={"claimName": "data"})]
    assert main(["gc", "data"]) == 0
    said = capsys.readouterr().out
    assert "2 folders of it changed within 900 s" in said
    assert "1 finished model of it stay: --releases takes them too.\n" in said
    assert "--yes removes" not in said


def test_a_run_that_is_applied_meanwhile_loses_nothing(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, *folders_of(), "artifacts/tokens/left")
    before = there(cluster.volume)
    cluster.after["remove"] = lambda: cluster.runs.append(a_run("one", storage={"claimName": "data"}))
    assert main(["artifacts", "data", "--remove-unused", "--yes", "-o", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["restored"]) == folders_of()
    assert report["removed"] == ["artifacts/tokens/left"]
    assert there(cluster.volume) == before - {"artifacts/tokens/left"}


def test_where_the_second_look_at_the_runs_fails_everything_is_put_back(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, "artifacts/tokens/left")

    def lose() -> None:
        def get(what: str, *arguments: str) -> Any:
            if what.startswith("trainingruns"):
                raise CommandError("kubectl get failed: the server is away")
            return Cluster.get(cluster, what, *arguments)

        cluster.get = get  # type: ignore[method-assign]

    cluster.after["remove"] = lose
    assert main(["artifacts", "data", "--remove-unused", "--yes"]) == 1
    assert "the server is away" in capsys.readouterr().err
    assert there(cluster.volume) == {"artifacts/tokens/left"}


def test_where_it_can_not_be_put_back_either_the_place_is_told(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, "artifacts/tokens/left")
    moved = cluster.volume.with_name("moved")

    def lose() -> None:
        cluster.runs = [a_run("one", storage={"claimName": "data"}, tokenizer=None)]
        cluster.volume.rename(moved)

    cluster.after["remove"] = lose
    assert main(["artifacts", "data", "--remove-unused", "--yes"]) == 1
    (batch,) = (moved / ".removed").iterdir()
    assert f"could not be put back and lies in .removed/{batch.name} on the claim" in capsys.readouterr().err
    assert (batch / "tokens" / "left" / "file").exists()


def test_nothing_is_removed_while_a_run_can_not_be_understood(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, "artifacts/tokens/left")
    cluster.runs = [a_run("broken", storage={"claimName": "data"}, tokenizer=None)]
    assert main(["artifacts", "data", "--remove-unused", "--yes"]) == 0
    assert "Nothing is removed while broken can't be understood" in capsys.readouterr().out
    assert there(cluster.volume) == {"artifacts/tokens/left"}


def test_what_an_interrupted_command_left_is_told_and_deleted_after_an_hour(cluster: Cluster, capsys: Capture) -> None:
    put(cluster.volume, ".removed/old/tokens/left", ".removed/new/tokens/left")
    then = time.time() - 3700
    os.utime(cluster.volume / ".removed/old", (then, then))
    assert main(["artifacts", "data"]) == 0
    assert "2 kB in .removed were taken away before and not deleted" in capsys.readouterr().out
    assert main(["artifacts", "data", "--remove-unused", "--yes"]) == 0
    assert there(cluster.volume) == {".removed/new/tokens/left"}


def test_the_pod_is_one_that_restricted_admits_with_the_claim_and_nothing_else(cluster: Cluster) -> None:
    main(["artifacts", "data"])
    (manifest,) = cluster.manifests
    spec = manifest["spec"]
    (container,) = spec["containers"]
    assert container["image"] == IMAGES["tokenize"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 1000
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert spec["volumes"] == [
        {"name": "volume", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "tmp", "emptyDir": {}},
    ]  # fmt: skip
    assert [one["name"] for one in container["volumeMounts"]] == ["volume", "tmp"]
    assert not any(label.startswith("trainingrun.dev/") for label in manifest["metadata"]["labels"])


def test_no_image_runs_that_the_installation_does_not_name(cluster: Cluster, capsys: Capture) -> None:
    assert main(["artifacts", "data", "--image", "elsewhere.example/other:1"]) == 2
    assert "The operator has no image elsewhere.example/other:1" in capsys.readouterr().err
    cluster.readable = False
    assert main(["artifacts", "data"]) == 1
    assert "name its tokenize image with --image" in capsys.readouterr().err
    assert cluster.manifests == []
    assert main(["artifacts", "data", "--image", IMAGES["tokenize"]]) == 0


def test_a_pod_that_fails_is_told_in_its_own_words_and_deleted(cluster: Cluster, capsys: Capture) -> None:
    cluster.volume = cluster.volume / "missing"
    assert main(["artifacts", "data"]) == 1
    assert "failed: There is no volume at" in capsys.readouterr().err
    assert cluster.pods == {}


def test_a_pod_that_does_not_start_is_told_with_the_cluster_s_reason() -> None:
    class Full:
        deleted = False

        def __call__(self, *arguments: str, stdin: str | None = None) -> str:
            self.deleted |= arguments[0] == "delete"
            return json.dumps({"metadata": {"name": "pod"}})

        def get(self, *_: str) -> Any:
            refused = {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes fit.",
            }
            return {"status": {"phase": "Pending", "conditions": [refused]}}

    full: Any = Full()
    with pytest.raises(CommandError, match="did not end within 0 s: Unschedulable: 0/1 nodes fit."):
        volume_pod.printed(full, {}, 0)
    assert full.deleted


def test_a_kubectl_that_is_missing_or_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be started .*: install it"):
        volume_pod.Kubectl(program=str(tmp_path / "kubectl"))("get", "pods")
    program = tmp_path / "refusing"
    program.write_text('#!/bin/sh\necho "forbidden: $@" >&2; exit 1\n')
    program.chmod(0o755)
    with pytest.raises(CommandError, match="kubectl get pods failed: forbidden: -n ns get pods -o json"):
        volume_pod.Kubectl("ns", program=str(program)).get("pods")


def test_gc_frees_what_no_run_refers_to_when_somebody_says_yes(
    cluster: Cluster, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cluster.volume, *folders_of(), "artifacts/tokens/left")
    cluster.runs = [a_run("one", storage={"claimName": "data"})]
    before = there(cluster.volume)
    assert main(["gc", "data"]) == 2  # with nobody to ask
    monkeypatch.setattr(acting, "at_a_terminal", lambda: True)
    for answer, left in (("n", before), ("y", before - {"artifacts/tokens/left"})):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
        assert main(["gc", "data"]) == 0
        assert there(cluster.volume) == left
    said = capsys.readouterr()
    assert "Free 1 kB on data? [y/N]:" in said.err
    assert "Removed: artifacts/tokens/left\n1 folder removed.\n" in said.out
    assert main(["gc", "data"]) == 0  # nothing is left to ask about


def test_gc_on_no_claim_takes_the_one_of_all_runs() -> None:
    def runs(*claims: str) -> Any:
        return SimpleNamespace(namespace="ns", runs=lambda: [a_run(storage={"claimName": one}) for one in claims])

    assert freeing.only_claim(runs("data", "data")) == "data"
    with pytest.raises(CommandError, match="The runs of namespace ns are on a, b: name one"):
        freeing.only_claim(runs("b", "a"))
    with pytest.raises(CommandError, match="There is no run in namespace ns: name the claim"):
        freeing.only_claim(runs())

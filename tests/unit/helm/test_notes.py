"""What is said after an installation: what to do next, and what these very values leave to do."""

from pathlib import Path

from unit.helm.rendering import CHART, images, run


def notes(helm: Path, *values: str) -> str:
    given = [word for value in values for word in ("--set", value)]
    done = run(helm, "install", "tr", str(CHART), "--namespace", "sys", "--dry-run=client", *images(), *given)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:\n")[2]


def test_the_next_steps_are_told_with_this_releases_names(helm: Path) -> None:
    said = notes(helm)
    assert "helm test tr --namespace sys --logs" in said
    assert "kubectl --namespace sys rollout status deployment/tr" in said
    assert "kubectl apply --namespace NAMESPACE -f run.yaml" in said
    assert "leaves the definition, all runs, their pods and their claims" in said


def test_two_replicas_and_digests_leave_nothing_to_be_said_of_them(helm: Path) -> None:
    assert "There is one replica" in notes(helm)
    said = notes(helm, "operator.replicas=2")
    assert "There is one replica" not in said
    assert "by a tag" not in said


def test_what_the_values_leave_to_do_is_told(helm: Path) -> None:
    said = notes(
        helm,
        "images.sft=registry.example/sft:1",
        "watch.namespaces={one,two}",
        "imagePullSecrets={pull}",
        "worker.serviceAccountName=trainer",
        "rbac.create=false,crds.upgrade=false",
    )
    assert "watches one, two." in said
    assert "kubectl apply --namespace one -f run.yaml" in said
    assert "and the pull secret pull, and the ServiceAccount trainer" in said
    assert "Of sft the image is named by a tag and not by a digest." in said
    assert "bind the ServiceAccount tr" in said
    assert "kubectl replace -f crds/" in said

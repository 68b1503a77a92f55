"""From nothing to a small bilingual model: run by `make demo`.

Brings up a cluster, builds the images, installs the operator with Helm, applies the quickstart, follows it, and copies
the released models with their cards into out/quickstart. ENGINE=torch trains with the other engine. Can be run again
and again: a new run is made each time, what seldom changes is used again.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from e2e import follow, volume
from e2e.installation import REPOSITORY, apply, environment, get, install, kubectl, namespace, operator_figures, say
from e2e.installation import run as run_command

NAMESPACE = "quickstart"
NAME = "quickstart"
OUT = REPOSITORY / "out" / "quickstart"
REPORT = ("comparison.md", "comparison.json", "comparison.png", "report.html")
LIMIT_SECONDS = 1800.0


def main() -> int:
    """The exit code: 0 where a model came out."""
    started = time.monotonic()
    built = install()
    ready = time.monotonic()
    say("Making a fresh volume with the quickstart's data …")
    fresh_volume(built["quickstart-data"])
    before = operator_figures()
    say("kubectl apply -f examples/quickstart/run.yaml")
    manifest = yaml.safe_load((REPOSITORY / "examples/quickstart/run.yaml").read_text())
    manifest["spec"]["pretrain"]["engine"] = os.environ.get("ENGINE") or manifest["spec"]["pretrain"]["engine"]
    kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=yaml.safe_dump(manifest, sort_keys=False))
    run = follow.wait_for_end(NAME, NAMESPACE, LIMIT_SECONDS)
    after = operator_figures()
    if run["status"]["phase"] != "Succeeded":
        print(kubectl("describe", "trainingrun", NAME, "-n", NAMESPACE))
        return 1
    collect(run, built["quickstart-data"])
    figures = _figures(run, before, after, ready - started, time.monotonic() - started)
    (OUT / "demo.json").write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)
    return 0


def fresh_volume(image: str, where: str = NAMESPACE) -> None:
    """Remove a namespace's last run and volume and lay the quickstart's data: a run begins with raw text."""
    kubectl("delete", "namespace", where, "--ignore-not-found", "--timeout=120s", timeout=150)
    apply(namespace(where))
    claim = yaml.safe_load((REPOSITORY / "examples/quickstart/claim.yaml").read_text())
    apply(claim | {"metadata": {"name": NAME, "namespace": where}})
    volume.fill(where, NAME, image)


def collect(run: dict[str, Any], image: str) -> None:
    """Copy the released models, the progression and the report off the volume."""
    shutil.rmtree(OUT, ignore_errors=True)
    for name in (one["name"] for one in run["status"]["stages"] if one["kind"] == "release"):
        get_model(name.removeprefix("release").removeprefix("-"))
    visit = volume.Visit(NAMESPACE, NAME, image)
    for stage in run["status"]["stages"]:
        if stage["name"] == "evaluate":
            visit.fetch(stage["folder"], OUT / "evaluation")
        if stage["name"] == "report":
            visit.fetch(stage["folder"], OUT / "report")
        if stage["name"] == "pretrain":
            history = visit.sh(f"cat {stage['folder']}/metrics.jsonl")
    for name in ("progression.md", "progression.json", "progression.png"):
        shutil.copy(OUT / "evaluation" / name, OUT / name)
    for name in REPORT:
        shutil.copy(OUT / "report" / name, OUT / name)
    (OUT / "metrics.jsonl").write_text(history)
    visit.close()


def get_model(variant: str, where: str = NAMESPACE, to: Path = OUT) -> None:
    """Copy the released model of a variant, or the base model, as a user does: by the command, which checks it."""
    words = [NAME, *([variant] if variant else []), str(to / (f"{NAME}-{variant}" if variant else NAME))]
    say(f"trainingrun get-model {' '.join(words[:-1])}")
    run_command([str(Path(sys.executable).parent / "trainingrun"), "get-model", *words, "-n", where])


def _figures(run: dict[str, Any], before: Any, after: Any, setup: float, total: float) -> dict[str, Any]:
    losses = [json.loads(line)["loss"] for line in (OUT / "metrics.jsonl").read_text().splitlines()]
    return {
        "status": run["status"],
        "setupSeconds": round(setup, 1),
        "totalSeconds": round(total, 1),
        "firstLoss": losses[0],
        "lastLoss": losses[-1],
        "operatorResidentBytes": after["process_resident_memory_bytes"],
        "apiWrites": after["trainingrun_api_writes_total"] - before.get("trainingrun_api_writes_total", 0.0),
        "events": len(get("events", "-n", NAMESPACE)["items"]),
    }


def show(figures: dict[str, Any]) -> None:
    """Print what came out."""
    print("\n" + (OUT / "progression.md").read_text())
    print((OUT / "comparison.md").read_text())
    for card in sorted(OUT.glob("*/README.md")):
        print(f"{card.parent.name}: {card.relative_to(REPOSITORY)}")
        text = card.read_text()
        print(text[text.index("## Trial") : text.index("## How it was made")])
    print(
        f"Loss {figures['firstLoss']:.3f} → {figures['lastLoss']:.3f}; operator "
        f"{figures['operatorResidentBytes'] / 2**20:.0f} MiB, {figures['apiWrites']:.0f} API writes; "
        f"set-up {figures['setupSeconds']:.0f} s of {figures['totalSeconds']:.0f} s. "
        f"Models in {OUT.relative_to(Path.cwd())}/, all of them on one page in report.html there."
    )
    print(
        "The cluster stays until `make cluster-down`. To look at the run yourself:\n"
        f"  export KUBECONFIG={environment()['KUBECONFIG']} PATH=$PWD/.venv/bin:$PATH\n"
        f"  trainingrun -n {NAMESPACE} status quickstart    # or plot, logs, dashboard, get-model: trainingrun --help"
    )


if __name__ == "__main__":
    sys.exit(main())

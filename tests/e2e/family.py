"""From nothing to four small bilingual models that share English and code: run by `make family`.

Brings up a cluster, builds the images, installs the operator with Helm, applies the four runs of examples/family at
once on one claim, follows them, copies the released models into out/family, and prints what was reused and what that
saved. Can be run again and again: the runs and their volume are made anew each time.
"""

import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from e2e import family_table, follow, volume
from e2e.installation import REPOSITORY, apply, install, kubectl, namespace, say

NAMESPACE = "family"
EXAMPLE = REPOSITORY / "examples" / "family"
OUT = REPOSITORY / "out" / "family"
RUNS = ("en-it", "en-es", "en-fr", "en-pt")
LIMIT_SECONDS = 1200.0


def main() -> int:
    """The exit code: 0 where four models came out and the later ones used the first one's tokens."""
    started = time.monotonic()
    built = install()
    ready = time.monotonic()
    say("Making a fresh volume with the family's data …")
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=150)
    apply(namespace(NAMESPACE))
    claim = yaml.safe_load((EXAMPLE / "claim.yaml").read_text())
    name = claim["metadata"]["name"]
    claim["metadata"]["namespace"] = NAMESPACE
    apply(claim)
    volume.fill(NAMESPACE, name, built["quickstart-data"])
    say("kubectl apply -k examples/family")
    kubectl("apply", "-n", NAMESPACE, "-k", str(EXAMPLE))
    runs = follow.wait_for_all(RUNS, NAMESPACE, LIMIT_SECONDS)
    failed = [one for one, run in runs.items() if run["status"]["phase"] != "Succeeded"]
    if failed:
        print(kubectl("describe", "trainingruns", *failed, "-n", NAMESPACE))
        return 1
    models = collect(runs, volume.Visit(NAMESPACE, name, built["quickstart-data"]))
    return show(models, ready - started, time.monotonic() - started)


def collect(runs: dict[str, Any], visit: volume.Visit) -> list[family_table.Model]:
    """Copy the released models off the volume; the runs' figures."""
    shutil.rmtree(OUT, ignore_errors=True)
    models = []
    for name, run in runs.items():
        folders = {stage["name"]: stage["folder"] for stage in run["status"]["stages"]}
        visit.fetch(f"{folders['release']}/model", OUT / name)
        models.append(family_table.Model.of(run))
    visit.close()
    return models


def show(models: list[family_table.Model], setup: float, total: float) -> int:
    """Print and keep the table; the exit code: 1 where a source that several runs have was made more than once."""
    text = family_table.document(models)
    (OUT / "family.md").write_text(text)
    figures = {
        "models": [dataclasses.asdict(one) for one in models],
        "setupSeconds": round(setup, 1),
        "totalSeconds": round(total, 1),
    }
    (OUT / "family.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\n{text}")
    print(f"Set-up {setup:.0f} s of {total:.0f} s. Models in {OUT.relative_to(Path.cwd())}/.")
    twice = family_table.made_twice(models)
    if twice:
        print(f"Made more than once: {', '.join(twice)}.", file=sys.stderr)
    return 1 if twice else 0


if __name__ == "__main__":
    sys.exit(main())

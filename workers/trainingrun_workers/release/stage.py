"""Runs a release stage: makes `<folder>/model` in one move, and the marker with its path, size and checksum.

`model` holds the weights, configuration and tokenizer that transformers loads, README.md, LICENSE, evaluation.json,
provenance.json, trainingrun.yaml, progression.{md,json,png} where the evaluation drew them, GGUF files where they are
asked for, and checksums.sha256. Where a hub is named, it is uploaded there afterwards.
"""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trainingrun_workers.contract import ExitCode, ReleaseSpec, Result, StageInput
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.offline import go_offline
from trainingrun_workers.release.architecture import architecture
from trainingrun_workers.release.assembly import copy_model, publish, write_checksums
from trainingrun_workers.release.card import PLOT, CardFacts, GgufFile, card_text
from trainingrun_workers.release.licences import Licence, find_licence, licence_text
from trainingrun_workers.release.push import pushed
from trainingrun_workers.release.scores import Scores, evaluation_results, read_scores
from trainingrun_workers.release.usage import run_usage, usage_code
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, make_folder, mark_complete, read_marker

if TYPE_CHECKING:
    from trainingrun_workers.release.trial import Loaded

LOGGER: Final = logging.getLogger(__name__)
MODEL: Final = "model"
NEW_TOKENS: Final = 40
PROGRESSION: Final = ("progression.md", "progression.json", PLOT)
TEMPORARY: Final = ".tmp."
MANIFEST: Final = "trainingrun.yaml"

Evaluated = tuple[Scores | None, dict[str, Any] | None]  # the scores, and the whole document they are from


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Make the released folder, try it, and yield {"name", "path", "parameters", "sha256", "licence"}."""
    go_offline()
    spec: ReleaseSpec = stage_input.spec  # type: ignore[assignment]
    folder = make_folder(volume.path(stage_input.folder))
    output = read_marker(folder)
    if output is None:
        for left in folder.glob(f"{TEMPORARY}*"):
            shutil.rmtree(left, ignore_errors=True)
        made = make_folder(folder / f"{TEMPORARY}{stage_input.run.uid}.{stage_input.attempt}.{os.getpid()}")
        try:
            output = _make(stage_input, volume, reporter, made)
            publish(made, folder / MODEL)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        mark_complete(folder, output)
    message = f"The model {spec.name} is in {output['path']}."
    if spec.push is not None:
        reporter.update(activity="uploading")
        output = {**output, "pushed": pushed(folder, folder / MODEL, spec.push, output["sha256"])}
        message = f"The model {spec.name} is in {output['path']} and at {output['pushed']['url']}."
    return Result(int(ExitCode.DONE), "Completed", message, output=output)


def _make(stage_input: StageInput, volume: Volume, reporter: Reporter, made: Path) -> dict[str, Any]:
    from trainingrun_workers.release.trial import load_release

    spec: ReleaseSpec = stage_input.spec  # type: ignore[assignment]
    total = 4 + len(spec.prompts) + len(spec.gguf)
    licence = find_licence(spec.licence)
    evaluated = _copy_scores(spec, volume, made)
    reporter.update(unit="steps", total=total, step=0, activity="copying")
    dtype = copy_model(volume.path(spec.model), made, spec.chat)
    reporter.update(step=1, activity="loading")
    loaded = load_release(made, spec.cpu)
    reporter.update(step=2, activity="writing trial texts")
    facts = _facts(spec, licence, evaluated, dtype, loaded, made, volume, reporter)
    (made / "README.md").write_text(card_text(facts))
    check_card(made / "README.md", facts.scores)
    (made / "LICENSE").write_text(licence_text(licence, spec.name))
    (made / "provenance.json").write_text(json.dumps(facts.provenance, indent=1, sort_keys=True) + "\n")
    if spec.manifest is not None:
        (made / MANIFEST).write_text(spec.manifest)
    checksum = write_checksums(made)
    reporter.update(step=total, activity="publishing")
    return {
        "name": spec.name, "path": f"{stage_input.folder}/{MODEL}", "parameters": loaded.parameters,
        "sha256": checksum, "licence": spec.licence,
    }  # fmt: skip


def _facts(
    spec: ReleaseSpec, licence: Licence, evaluated: Evaluated, dtype: str, loaded: "Loaded", made: Path,
    volume: Volume, reporter: Reporter,
) -> CardFacts:  # fmt: skip
    """What the card says, once the folder was tried: texts, GGUF files, the card's own code."""
    from trainingrun_workers.release.trial import continue_texts, versions

    scores, evaluation = evaluated
    trials = continue_texts(
        loaded, spec.prompts, spec.chat, NEW_TOKENS, lambda number: reporter.update(step=2 + number)
    )
    gguf = _gguf(spec, loaded, made, reporter)
    reporter.update(step=3 + len(trials) + len(gguf), activity="running the card's code")
    code, progression, config = usage_code(spec, NEW_TOKENS), made / PROGRESSION[0], loaded.model.config
    return CardFacts(
        spec=spec, licence=licence, model_type=config.model_type, parameters=loaded.parameters, dtype=dtype,
        context=config.max_position_embeddings, new_tokens=NEW_TOKENS, scores=scores,
        progression=progression.read_text() if progression.is_file() else None, plot=(made / PLOT).is_file(),
        trials=trials, provenance=measured_provenance(spec.provenance, volume), usage=code,
        printed=run_usage(code, made), versions=versions(), architecture=architecture(config), evaluation=evaluation,
        gguf=gguf,
    )  # fmt: skip


def _gguf(spec: ReleaseSpec, loaded: "Loaded", made: Path, reporter: Reporter) -> tuple[GgufFile, ...]:
    if not spec.gguf:
        return ()
    from trainingrun_workers.release.gguf_check import checked
    from trainingrun_workers.release.gguf_file import write_gguf

    found = []
    for number, kind in enumerate(spec.gguf):
        reporter.update(step=2 + len(spec.prompts) + number, activity=f"writing GGUF {kind}")
        found.append(checked(write_gguf(made, loaded, spec.name, kind), kind, loaded.model))
    return tuple(found)


def _copy_scores(spec: ReleaseSpec, volume: Volume, made: Path) -> Evaluated:
    if spec.evaluation is None or spec.evaluated_as is None:
        return None, None
    folder = volume.path(spec.evaluation)
    scores, document = read_scores(folder, spec.evaluated_as)
    (made / "evaluation.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    for name in PROGRESSION:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, made / name)
    return scores, document


def check_card(file: Path, scores: Scores | None) -> None:
    """BadConfig unless the hub's own library reads the same scores out of the card's model-index."""
    from huggingface_hub import ModelCard

    found = ModelCard.load(file).data.eval_results or []
    expected = evaluation_results(scores) if scores else []
    if sorted(map(repr, found)) != sorted(map(repr, expected)):
        raise BadConfig(
            "CardInvalid",
            f"The card's model-index gives {len(found)} scores other than the {len(expected)} of the evaluation: "
            "report this as a bug, with evaluation.json.",
        )


def measured_provenance(provenance: dict[str, Any], volume: Volume) -> dict[str, Any]:
    """The provenance with `measured` beside each `folder` in it: what the stage that made it left as its output."""
    return {key: _measured(value, volume) for key, value in provenance.items()}


def _measured(value: Any, volume: Volume) -> Any:
    if isinstance(value, list | tuple):
        return [_measured(one, volume) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _measured(one, volume) for key, one in value.items()}
    folder = value.get("folder")
    marker = read_marker(volume.path(folder)) if isinstance(folder, str) else None
    return made if marker is None else {**made, "measured": marker}

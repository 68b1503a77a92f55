"""What runs on one claim have made, found made and saved: the table of `make family`, from their statuses alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Model:
    """One run's figures, as its status has them."""

    name: str
    started: str  # when its tokenize stage started
    losses: tuple[float, float]  # of the first and the last logged step
    scores: dict[str, float]
    folders: dict[str, str]  # of tokens, by the source's name
    tokens: int
    size: int  # bytes of token files
    reused: tuple[str, ...]  # sources whose tokens another run had made
    reused_tokens: int
    reused_bytes: int
    reused_text_bytes: int
    text_bytes: int
    text_bytes_per_cpu_second: float  # 0 where it made nothing

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Self:
        """The figures of a run that has succeeded."""
        status = run["status"]
        stages = {one["name"]: one for one in status["stages"]}
        stage, trained = stages["tokenize"], stages["pretrain"]["output"]
        output = stage["output"]
        checkpoint = max(status.get("checkpoints") or [{}], key=lambda one: one.get("step", -1))
        return cls(
            name=run["metadata"]["name"],
            started=stage["startedAt"],
            losses=(float(trained["firstLoss"]), float(trained["loss"])),
            scores=dict(checkpoint.get("scores") or {}),
            folders=dict(stage["tokens"]),
            tokens=int(output["tokens"]),
            size=int(output["bytes"]),
            reused=tuple(one for one in output["reusedSources"].split(", ") if one),
            reused_tokens=int(output["reusedTokens"]),
            reused_bytes=int(output["reusedBytes"]),
            reused_text_bytes=int(output["reusedTextBytes"]),
            text_bytes=int(output["textBytes"]),
            text_bytes_per_cpu_second=float(output.get("textBytesPerCpuSecond", 0.0)),
        )


def document(models: Sequence[Model]) -> str:
    """Everything as Markdown: the models, their token folders, and what was saved in all."""
    models = sorted(models, key=lambda one: (one.started, bool(one.reused), one.name))
    return "\n\n".join(["\n".join(_models(models)), "\n".join(_folders(models)), saved(models)]) + "\n"


def saved(models: Sequence[Model]) -> str:
    """What reuse saved, in a sentence; CPU-seconds at the rate that the first run measured."""
    tokens, size = sum(one.reused_tokens for one in models), sum(one.reused_bytes for one in models)
    if not tokens:
        return "Nothing was reused: each run made its tokens itself."
    served = sum(one.tokens for one in models)
    return (
        f"Reused: {tokens:,} of {served:,} tokens ({100 * tokens / served:.0f} %), {size:,} bytes of token files and "
        f"{sum(seconds(one, models) for one in models):.2f} CPU-seconds of tokenizing, at the "
        f"{rate(models):,.0f} bytes of text a CPU-second that {first(models).name} measured."
    )


def first(models: Sequence[Model]) -> Model:
    """The run that tokenized first, and so measured how fast that goes."""
    return min(models, key=lambda one: (not one.text_bytes_per_cpu_second, one.started, len(one.reused)))


def rate(models: Sequence[Model]) -> float:
    """Bytes of text a CPU-second, as the first run measured; 0 where none has made any."""
    return first(models).text_bytes_per_cpu_second


def seconds(model: Model, models: Sequence[Model]) -> float:
    """CPU-seconds that a run did not spend."""
    return model.reused_text_bytes / rate(models) if rate(models) else 0.0


def made_twice(models: Sequence[Model]) -> list[str]:
    """The sources whose tokens more than one run made."""
    makers = [folder for one in models for source, folder in one.folders.items() if source not in one.reused]
    known = {folder: source for one in models for source, folder in one.folders.items()}
    return sorted(known[folder] for folder in set(makers) if makers.count(folder) > 1)


def _models(models: Sequence[Model]) -> list[str]:
    lines = [
        "| model | loss | scores | tokens | reused | tokens saved | bytes saved | CPU-s saved |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for one in models:
        scores = ", ".join(f"{task} {value:.4f}" for task, value in sorted(one.scores.items()))
        lines.append(
            f"| {one.name} | {one.losses[0]:.2f} → {one.losses[1]:.2f} | {scores} | {one.tokens:,} "
            f"| {', '.join(one.reused) or 'nothing'} | {one.reused_tokens:,} | {one.reused_bytes:,} "
            f"| {seconds(one, models):.2f} |"
        )
    return lines


def _folders(models: Sequence[Model]) -> list[str]:
    lines = ["| token folder | source | made by | used again by |", "| --- | --- | --- | --- |"]
    known = {folder: source for one in models for source, folder in one.folders.items()}
    for folder, source in known.items():
        users = [one for one in models if folder in one.folders.values()]
        makers = [one.name for one in users if source not in one.reused]
        others = [one.name for one in users if source in one.reused]
        lines.append(f"| {folder} | {source} | {', '.join(makers) or 'an earlier run'} | {', '.join(others) or '–'} |")
    return lines

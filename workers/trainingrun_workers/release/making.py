"""The card's account of how a model was made: data, tokens by language, training, GPU-hours, images."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

LISTED: Final = 16  # items of a list that the card prints
FINGERPRINT: Final = 12  # hexadecimal digits that the card shows of a hash


def making(made: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """The section; `made` is the provenance with what the stages measured."""
    data = [one for one in made.get("data") or () if isinstance(one, dict)]
    parts = [
        "## How it was made",
        "The run as it was applied is in `trainingrun.yaml`; `trainingrun reproduce README.md` prints it with the "
        "images that did the work. Everything below, uncut, is in `provenance.json`.",
        f"### Data\n\n{_data_table(data)}" if data else "",
        _language_table(data),
        f"### Training\n\n{_training(made)}" if made.get("pretrain") else "",
        _images(made.get("images") or {}),
        _details(made),
        "Last loaded with " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."
        if versions
        else "",
    ]
    return "\n\n".join(one for one in parts if one)


def fenced(text: str, language: str = "text") -> str:
    """The text between fences that it does not close itself."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.strip() or '(nothing)'}\n{fence}"


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table whose numbers, in every column but the first, stand on the right."""
    lines = [header, ("---", *("---:" for _ in header[1:])), *rows]
    return "\n".join(f"| {' | '.join(one)} |" for one in lines)


def _data_table(data: list[dict[str, Any]]) -> str:
    rows = []
    for one in data:
        measured = one.get("measured") or {}
        rows.append(
            (
                f"{one.get('name', '')} (`{one.get('path', '')}`)", f"{one.get('weight', '')}",
                str(one.get("language", "")), str(one.get("license", "")), _count(measured.get("documents")),
                _count(measured.get("tokens")), _fingerprint(one),
            )
        )  # fmt: skip
    header = ("data", "weight", "language", "licence", "documents", "tokens", "fingerprint")
    return table(header, rows) + (
        "\n\nA fingerprint is the beginning of the hash of a source's place, its tokenizer and how it is cut; the "
        "SHA-256 of each file of its tokens is in `provenance.json`."
    )


def _fingerprint(source: Mapping[str, Any]) -> str:
    folder = str(source.get("folder", "")).rpartition("/")[2]
    return f"`{folder[:FINGERPRINT]}`" if folder else ""


def _language_table(data: list[dict[str, Any]]) -> str:
    counts: dict[str, list[int]] = {}
    for one in data:
        tokens = (one.get("measured") or {}).get("tokens")
        if one.get("language") and isinstance(tokens, int):
            counts.setdefault(str(one["language"]), []).append(tokens)
    rows = [(language, _count(len(one)), _count(sum(one))) for language, one in sorted(counts.items())]
    return table(("language", "sources", "tokens"), rows) if rows else ""


def _training(made: Mapping[str, Any]) -> str:
    pretrain = made["pretrain"]
    config, engine = pretrain.get("config") or {}, _engine(pretrain)
    steps, size = pretrain.get("steps"), pretrain.get("tokensPerStep")
    gpus = pretrain.get("gpusPerNode")
    tokens = steps * size if isinstance(steps, int) and isinstance(size, int) else None
    rows = {
        "engine": " ".join(
            str(one) for one in (engine.get("name") or pretrain.get("engine"), engine.get("version")) if one
        ),
        "engine's hash": _short(engine.get("wheel") or engine.get("sources")),
        "nodes × GPUs": f"{pretrain.get('nodes', '')} × {gpus}" if gpus else "",
        "steps": _count(steps),
        "tokens a step": _count(size),
        "tokens": _count(tokens),
        "sequence length": _count(pretrain.get("sequenceLength") or _section(config, "tokens").get("sequence_length")),
        "highest learning rate": _learning_rate(config),
        "seed": str(pretrain.get("seed", "")),
        "GPU-hours of the run": _gpu_hours(made.get("gpuHours") or {}),
    }
    return table(("", "value"), [(name, value) for name, value in rows.items() if value])


def _engine(pretrain: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the engine has said of itself; one of the user's own may have said anything."""
    engine = (pretrain.get("measured") or {}).get("engine")
    return engine if isinstance(engine, Mapping) else {}


def _learning_rate(config: Mapping[str, Any]) -> str:
    return str(_section(_section(config, "optimizer"), "learning_rate_scheduler").get("learning_rate", ""))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a configuration, which may be another engine's."""
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def _gpu_hours(spent: Mapping[str, Any]) -> str:
    """The run's hours until the release began; nothing where no GPU was used."""
    useful, lost = spent.get("useful", 0.0), sum((spent.get("lost") or {}).values())
    if not useful and not lost:
        return ""
    return f"{useful:,.2f}" + (f", and {lost:,.2f} lost to restarts" if lost else "")


def _short(digest: object) -> str:
    return f"`{digest[:FINGERPRINT]}`" if isinstance(digest, str) else ""


def _images(images: Mapping[str, str]) -> str:
    rows = [(stage, f"`{image}`") for stage, image in images.items()]
    return table(("stage", "image"), rows) if rows else ""


def _details(made: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(_brief(made), sort_keys=False, allow_unicode=True, width=110)
    return (
        "<details><summary>Images, versions, seeds and configurations</summary>\n\n"
        f"{fenced(text, 'yaml')}\n\n</details>"
    )


def _brief(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _brief(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        left = len(value) - LISTED
        return [_brief(one) for one in value[:LISTED]] + ([f"and {left} more: see provenance.json"] if left > 0 else [])
    return value


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else ""

"""GENERATED FILES: written by `make generate`, compared by `make verify`; `python -m trainingrun.api.generate`."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun.api.chart_page import chart_page
from trainingrun.api.chart_values import values_schema
from trainingrun.api.crd import MAX_BYTES, crd
from trainingrun.api.policies import policies
from trainingrun.api.reference import reference
from trainingrun.api.yaml_text import dumped

ROOT: Final = Path(__file__).resolve().parents[3]
MEND: Final = "run `make generate`, and commit what it writes"
_HEADER: Final = "# Made by `make generate` from operator/trainingrun/api: never edit it here.\n"


def as_yaml(*documents: dict[str, Any]) -> str:
    """Documents as one YAML text with a header that says where it comes from."""
    return _HEADER + "---\n".join(dumped(one) for one in documents)


def _crd() -> str:
    text = as_yaml(crd())
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"The CRD has {len(text.encode()):,} bytes, more than {MAX_BYTES:,}: shorten the models.")
    return text


def _policy() -> str:
    """A template of the chart: the policies are the cluster's, so each release's own are named after it."""
    text = as_yaml(*policies("{{ .Release.Namespace }}-{{ .Release.Name }}"))
    return "{{- if .Values.admissionPolicy.enabled }}\n" + text + "{{- end }}\n"


def _values_schema() -> str:
    return json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"


FILES: Final[dict[str, Callable[[], str]]] = {
    "crds/trainingruns.yaml": _crd,
    "docs/reference.md": reference,
    "docs/values.md": chart_page,
    "helm/trainingrun/crds/trainingruns.yaml": _crd,
    "helm/trainingrun/values.schema.json": _values_schema,
    "helm/trainingrun/templates/admission-policy.yaml": _policy,
}
FOLDERS: Final = ("crds", "helm/trainingrun/crds")  # which hold nothing else


def write(root: Path) -> tuple[str, ...]:
    """Write every file whose text has changed below `root`, and yield their paths."""
    changed = [path for path, text in _texts() if _text(root / path) != text]
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(FILES[path](), encoding="utf-8")
    return tuple(changed)


def complaints(root: Path) -> Iterator[str]:
    """One sentence for each generated file that is missing, stale or unknown to git, and for each file too many."""
    tracked = _tracked(root)
    for path, text in _texts():
        found = _text(root / path)
        if found is None:
            yield f"{path} is missing: {MEND}."
        elif found != text:
            yield f"{path} is not what the models say: {MEND}."
        elif tracked is not None and path not in tracked:
            yield f"{path} is not in git: git add it."
    for folder in FOLDERS:
        for file in sorted((root / folder).glob("*")):
            path = file.relative_to(root).as_posix()
            if path not in FILES:
                yield f"{path} is made by nothing: delete it, or name it in {Path(__file__).name}."


def _texts() -> Iterator[tuple[str, str]]:
    return ((path, make()) for path, make in FILES.items())


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _tracked(root: Path) -> set[str] | None:
    """The paths that git knows; None where `root` is no checkout."""
    if not (root / ".git").exists():
        return None
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--", *FILES], check=True, capture_output=True, text=True
    )
    return set(listed.stdout.splitlines())


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 where `--check` finds something."""
    parser = argparse.ArgumentParser(prog="python -m trainingrun.api.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args(arguments).check:
        found = list(complaints(ROOT))
        print("\n".join(found), file=sys.stderr, end="\n" if found else "")
        return 1 if found else 0
    for path in write(ROOT):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

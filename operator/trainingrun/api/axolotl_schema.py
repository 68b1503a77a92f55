"""Makes axolotl_keys.txt: the keys of an Axolotl release and the JSON types they take, read off its pydantic models.

    pip download --no-deps axolotl==0.19.0
    python -m trainingrun.api.axolotl_schema axolotl-0.19.0-py3-none-any.whl > operator/trainingrun/api/axolotl_keys.txt

The wheel is parsed, not imported, so that neither torch nor a GPU is needed. Only names and types are taken.
"""

import ast
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SECTIONS: Final = {
    "top": ("AxolotlInputConfig",),
    "dataset": ("SFTDataset",),
    "preference": ("DPODataset", "SFTDataset"),
    "preference_type": ("UserDefinedDPOType",),
    "fsdp_config": ("FSDPConfig",),
    "special_tokens": ("SpecialTokensConfig",),
}
_TYPES: Final = {"bool": "bool", "int": "int", "float": "float", "str": "str", "list": "list", "dict": "dict"}
_TYPES_BY_NAME: Final = {
    "Any": "any", "tuple": "list", "PositiveInt": "int", "RLType": "str", "ChatTemplate": "str", "RingAttnFunc": "str",
    "CustomSupportedOptimizers": "str", "Resampling": "int", "Literal": "str", "Annotated": "", "None": "",
}  # fmt: skip

Classes = dict[str, ast.ClassDef]


def keys(wheel: Path) -> Iterator[tuple[str, str, str]]:
    """Section, key and types (joined by |) of every key; keys that only plugins know are in section "plugin"."""
    classes, plugins = _classes(wheel)
    for section, names in {**_SECTIONS, "plugin": tuple(plugins)}.items():
        found = {
            key: "any" if section == "plugin" else types for name in names for key, types in _fields(classes, name)
        }
        yield from ((section, key, types) for key, types in sorted(found.items()))


def _classes(wheel: Path) -> tuple[Classes, list[str]]:
    classes: Classes = {}
    plugins: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not re.match(r"axolotl/(utils/schemas|integrations)/.*\.py$", name):
                continue
            source = archive.read(name).decode()
            classes |= {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
            plugins += re.findall(r'return "axolotl\.integrations\.[\w.]+\.(\w+(?:Args|Config))"', source)
    return classes, plugins


def _fields(classes: Classes, name: str) -> Iterator[tuple[str, str]]:
    node = classes.get(name)
    if node is None:
        return
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from _fields(classes, base.id)
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id != "model_config":
            yield _alias(item.value) or item.target.id, _types(item.annotation)


def _alias(value: ast.expr | None) -> str | None:
    keywords = value.keywords if isinstance(value, ast.Call) else []
    names = [one.value.value for one in keywords if one.arg == "alias" and isinstance(one.value, ast.Constant)]
    return str(names[0]) if names else None


def _types(annotation: ast.expr) -> str:
    """The outermost types of an annotation; a model is a dict, what is inside a list or a dict is left out."""
    if isinstance(annotation, ast.BinOp):
        parts = [*_types(annotation.left).split("|"), *_types(annotation.right).split("|")]
        return "|".join(dict.fromkeys(part for part in parts if part))
    if isinstance(annotation, ast.Subscript):
        outer = ast.unparse(annotation.value)
        if outer in ("Annotated", "Optional"):
            inner = annotation.slice.elts[0] if isinstance(annotation.slice, ast.Tuple) else annotation.slice
            return _types(inner)
        return _types(annotation.value)
    name = ast.unparse(annotation)
    return _TYPES.get(name, _TYPES_BY_NAME.get(name, "dict"))


def main() -> None:
    """Prints the file for the wheel that is the only argument."""
    wheel = Path(sys.argv[1])
    release = "-".join(wheel.name.split("-")[:2])
    print(f"# Keys of {release}: section, key, types. Made by axolotl_schema.py, which says how.")
    for row in keys(wheel):
        print(*row)


if __name__ == "__main__":
    main()

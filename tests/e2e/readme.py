"""Put the table that the newest demo printed into the README: `PYTHONPATH=tests .venv/bin/python -m e2e.readme`."""

import json

from e2e.installation import REPOSITORY

START, END = "<!-- demo -->\n", "<!-- /demo -->"


def main() -> None:
    """Rewrite the README between its two marks."""
    out = REPOSITORY / "out" / "quickstart"
    figures = json.loads((out / "demo.json").read_text())
    table = (out / "progression.md").read_text().strip()
    loss = f"Training loss {figures['firstLoss']:.2f} → {figures['lastLoss']:.2f}."
    readme = REPOSITORY / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(f"{before}{START}{table}\n\n{loss}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()

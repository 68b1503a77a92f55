"""Makes the quickstart's data: real text under free licences, a tokenizer, conversations and evaluation tasks.

    python -m venv /tmp/make-data
    /tmp/make-data/bin/pip install pyarrow==26.0.1 tokenizers==0.23.3
    /tmp/make-data/bin/python make.py                       # all that is shipped, beside this file
    /tmp/make-data/bin/python make.py --languages en,es --more '' --out /tmp/spanish
    python make.py --check                                  # are the files what was made?

It fetches the Debian package `debian-handbook` with apt-get (35 MB; no root needed) and reads the standard library of
the Python it runs on. The same versions give the same bytes: SOURCES.md says which.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from making import ledger

HERE = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    """Make the data or check them; the process's exit status."""
    options = _parser().parse_args(arguments)
    if options.check:
        return check(options.out)
    languages, more = (_names(one) for one in (options.languages, options.more))
    if languages[:1] != ["en"] or len(set(languages + more)) != len(languages + more):
        print(
            f"--languages is {options.languages!r} and --more {options.more!r}: name en first and each other "
            "language once.",
            file=sys.stderr,
        )
        return 2
    from making import chain, handbook  # here, so that --check needs no package

    with tempfile.TemporaryDirectory() as scratch:
        chain.make(options.out, languages, more, options.handbook or handbook.download(Path(scratch)))
    return 0


def _names(text: str) -> list[str]:
    return [one for one in text.split(",") if one]


def check(folder: Path) -> int:
    """Compare all files with checksums.sha256; 1 and a sentence each where one differs."""
    found = ledger.differences(folder)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare the files with checksums.sha256")
    parser.add_argument("--languages", default="en,it", help="en and any of it, es, fr, pt (default: en,it)")
    parser.add_argument(
        "--more",
        default="es,fr,pt",
        help="languages of which text and tasks are made as well, but no conversations, and no ids of the tokenizer: "
        "it is not trained on them (default: es,fr,pt)",
    )
    parser.add_argument("--out", type=Path, default=HERE, help="where the files go (default: beside this script)")
    parser.add_argument("--handbook", type=Path, help="an unpacked package, its version in the file `version`")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

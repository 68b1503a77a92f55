"""The tokenizing engine: datatrove's own bytes with either encoder, and what it does where the fast one errs."""

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from engine.llama_tokenizer import llama_tokenizer
from engine.tokenize_pods import END, PATIENCE, ROOT, contents, text, write_tokenizer

DRIVER = Path(__file__).with_name("token_files.py")
QUICKSTART = ROOT / "examples/quickstart/data"
ALPHABETS = (
    "abc xyz", "ABC'sTre", "0123456789", " \t\n\r\u00a0\u2028", ".,;:!?-_'\"()<|>", "àéîõüñß", "абвгд", "中文，。",
    "한국어", "שלום", "😀👩\u200d\ufe0f", "e\u0301\u0323", "\x00\x01\ufeff\ufffd\U000e0041\U0001d7d8",
)  # fmt: skip


def oddities() -> list[str]:
    return [
        "stumble over nothing", END, f"one {END} two{END}", "<|begin_of_text|> then <|eot_id|>", "<|eot_id|", " ",
        "\n", "a" * 30_000, " " * 30_000, "\n" * 30_000, "1" * 30_000, "ab " * 400_000, "é\n" * 300_000, "x\r\n\r\n y",
        "中" * 20_000, "\u0301" * 300, "😀" * 5_000, "\U0010ffff\u0378\U000e0fff", "I'LL we'Re it'\u017f",
        "\ufeff\u200b",
    ]  # fmt: skip


def fuzz(number: int) -> Iterator[str]:
    source = random.Random(41)
    for _ in range(number):
        parts = (
            source.choices(source.choice(ALPHABETS), k=source.randrange(1, 12)) for _ in range(source.randrange(1, 30))
        )
        yield "".join("".join(part) for part in parts)
    for _ in range(number // 10):
        points = (source.randrange(1, 0x11_0000) for _ in range(50))
        yield "".join(chr(one) for one in points if not 0xD800 <= one < 0xE000)


def real_texts() -> list[str]:
    files = [*sorted((QUICKSTART / "raw").rglob("*.parquet")), *sorted((ROOT / "docs").glob("*.md"))]
    texts = [one.read_text() for one in files if one.suffix == ".md"]
    for one in files:
        if one.suffix == ".parquet":
            table = pq.read_table(one)
            texts += table.column("text" if "text" in table.column_names else "content").to_pylist()[:150]
    return texts


@dataclass
class Maker:
    """Makes token files in processes of the datatrove image's interpreter."""

    python: str
    folder: Path

    def texts(self, texts: list[str]) -> Path:
        file = self.folder / f"texts-{len(list(self.folder.glob('texts-*')))}.parquet"
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), file)
        return file

    def make(self, way: str, into: str, tokenizer: Path, **order: Any) -> dict[str, Any]:
        order = {"way": way, "into": str(self.folder / into), "tokenizer": str(tokenizer), "end": END, **order}
        file = self.folder / f"order-{into}.json"
        file.write_text(json.dumps(order, default=str))
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "workers")}
        done = subprocess.run(
            [self.python, str(DRIVER), str(file)], env=environment, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def both(self, tokenizer: Path, texts: Path, token_bytes: int, **order: Any) -> dict[str, Any]:
        """Make the same file with datatrove and the engine, and see that nothing differs."""
        self.make("theirs", "theirs", tokenizer, texts=texts, token_bytes=token_bytes, end=order.get("end", END))
        said = self.make("ours", "ours", tokenizer, texts=texts, token_bytes=token_bytes, **order)
        theirs = contents(self.folder / "theirs")
        assert sorted(theirs) == ["00000.ds", "00000.ds.index", "00000.ds.metadata"]
        assert contents(self.folder / "ours") == theirs
        return said


@pytest.fixture
def maker(engine_python: Callable[[str], Path], tmp_path: Path) -> Maker:
    return Maker(str(engine_python("datatrove")), tmp_path)


@pytest.fixture
def llama() -> Path:
    try:
        return llama_tokenizer() / "tokenizer.json"
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Llama-3's ranks are in the package llama-models, which can't be downloaded here: {error}")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path / "small")
    return tmp_path / "small/tokenizer.json"


@pytest.mark.parametrize(("encoder", "threads"), [("", 1), ("", 4), ("reference", 2)])
def test_the_bytes_are_datatroves_for_llama_3(maker: Maker, llama: Path, encoder: str, threads: int) -> None:
    texts = [*oddities(), *real_texts(), *fuzz(2000)]
    said = maker.both(llama, maker.texts(texts), 4, encoder=encoder, threads=threads)
    assert said["name"].split()[0] == ("tokenizers" if encoder else "fastokens")
    assert bool(said["fallback"]) == bool(encoder)
    counts = said["counts"]
    assert counts["documents"] == len(texts)
    assert counts["text_bytes"] == sum(len(one.encode()) for one in texts)
    assert counts["tokens"] == (maker.folder / "ours/00000.ds").stat().st_size // 4
    assert counts["documents_with_end_of_text"] == sum(END in one for one in texts)
    assert counts["special_tokens"] == sum("<|begin_of_text|>" in one for one in texts)


@pytest.mark.parametrize("token_bytes", [2, 4])
def test_the_bytes_are_datatroves_for_the_quickstarts_tokenizer(maker: Maker, token_bytes: int) -> None:
    tokenizer = QUICKSTART / "tokenizer/tokenizer.json"
    end = json.loads((tokenizer.parent / "tokenizer_config.json").read_text())["eos_token"]
    texts = maker.texts([*oddities(), *real_texts(), *fuzz(1000)])
    said = maker.both(tokenizer, texts, token_bytes, end=end if isinstance(end, str) else end["content"])
    assert (said["name"].split()[0], said["fallback"]) == ("fastokens", "")


def test_the_bytes_are_datatroves_for_a_tokenizer_that_is_said_to_cut_off(maker: Maker, small: Path) -> None:
    said = maker.both(small, maker.texts([*oddities(), *fuzz(300), *(text(i) for i in range(1500))]), 2)
    assert (said["name"].split()[0], said["remade"]) == ("fastokens", 0)


def test_no_documents_make_the_empty_files_that_datatrove_makes(maker: Maker, small: Path) -> None:
    assert maker.both(small, maker.texts([]), 2)["counts"]["tokens"] == 0
    assert (maker.folder / "ours/00000.ds").stat().st_size == 0


def test_an_encoder_that_errs_on_a_probe_is_not_used(maker: Maker, small: Path) -> None:
    said = maker.both(small, maker.texts([text(i) for i in range(30)]), 2, encoder="wrong")
    assert said["begun"].startswith("tokenizers ")
    assert said["fallback"].startswith("wrong 0.0 gives other ids than tokenizers 0.23.3 for the text ")
    assert said["fallback"].count("\n") == 0
    assert said["remade"] == 0


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("encoder", "why"),
    [("looks right", "wrong 0.0 gives other ids than tokenizers"), ("refuses", "stumbled over a stone")],
)
def test_a_unit_in_which_a_document_differs_is_made_again_to_the_right_bytes(
    maker: Maker, small: Path, encoder: str, why: str, threads: int
) -> None:
    texts = [text(i) for i in range(2100)]
    texts[2000] = "stumble " + texts[2000]
    said = maker.both(small, maker.texts(texts), 2, encoder=encoder, threads=threads)
    assert (said["begun"], said["name"]) == ("wrong 0.0", "tokenizers 0.23.3")
    assert why in said["fallback"]
    assert said["remade"] == 1
    assert said["counts"]["documents"] == len(texts)


def test_the_first_document_of_a_unit_is_always_looked_at(maker: Maker, small: Path) -> None:
    said = maker.both(small, maker.texts(["stumble on", *(text(i) for i in range(20))]), 2, encoder="looks right")
    assert said["remade"] == 1


def test_without_fastokens_the_tokenizers_library_does_the_work_and_says_why(maker: Maker, small: Path) -> None:
    said = maker.both(small, maker.texts([text(i) for i in range(30)]), 2, encoder="missing")
    assert "No module named 'fastokens'" in said["fallback"]
    assert said["name"] == "tokenizers 0.23.3"


def test_a_tokenizer_that_fastokens_cant_load_is_worked_with_all_the_same(maker: Maker, tmp_path: Path) -> None:
    tokenizer = Tokenizer(
        models.WordLevel({"[UNK]": 0, END: 1, **{one: 2 + i for i, one in enumerate("abc")}}, "[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[UNK]", END])
    tokenizer.save(str(tmp_path / "words.json"))
    said = maker.both(tmp_path / "words.json", maker.texts(["a b c d", f"c {END} e", "b [UNK]"] * 400), 2)
    assert said["fallback"].startswith("fastokens can't load this tokenizer (")
    assert said["counts"]["documents_with_end_of_text"] == 400
    assert said["counts"]["special_tokens"] == 0, "an unknown word isn't a special token in the text"


def test_an_id_that_the_files_type_cant_hold_is_refused_in_a_sentence(maker: Maker, llama: Path) -> None:
    said = maker.make("ours", "ours", llama, texts=maker.texts(["plain"]), token_bytes=2)
    assert said["error"] == (
        f"The tokenizer {str(llama)!r} gives the id 128,001, which 2 bytes can't hold: "
        "raise the model's vocab_size or use a smaller tokenizer."
    )


def test_a_large_document_is_cut_where_that_changes_no_id(maker: Maker, llama: Path) -> None:
    source = random.Random(5)
    everything = [*real_texts(), *fuzz(400), "9" * 10_000, " " * 10_000, END, "中文" * 9_000]
    everything *= 2
    source.shuffle(everything)
    long = "".join(everything)
    assert len(long.encode()) > 3 << 20
    said = maker.both(llama, maker.texts([long, "short", long[::2], f"{long[:2_000_000]}{END}"]), 4)
    assert said["counts"]["documents"] == 4
    assert said["counts"]["documents_with_end_of_text"] == 2, "counted once for each document, however many its parts"


def test_a_document_of_many_megabytes_without_a_break_is_refused_in_a_sentence(maker: Maker, small: Path) -> None:
    texts = maker.texts(["one", "a" * (3 << 20), "a" * (5 << 20)])
    said = maker.make("ours", "ours", small, texts=texts, token_bytes=2)
    assert said["error"].startswith("There are more than 4 MiB of text in document 3 of 00000.ds without a place")


@pytest.mark.parametrize(
    ("encoder", "megabytes", "threads"),
    [
        ("", 300, 2),
        pytest.param("", 300, 1, marks=pytest.mark.long),
        pytest.param("reference", 20, 1, marks=pytest.mark.long),
    ],
)
def test_a_large_document_takes_a_gigabyte_of_memory_at_most(
    maker: Maker, llama: Path, encoder: str, megabytes: int, threads: int
) -> None:
    word = "A document that is long: 12,345 words à 7 €.\n\tNo end… "
    order = {"word": word, "megabytes": megabytes, "token_bytes": 4, "encoder": encoder, "threads": threads}
    said = maker.make("ours", "ours", llama, **order)
    repeats = megabytes * 1_000_000 // len(word.encode())
    assert said["counts"]["documents"] == 1
    assert said["counts"]["text_bytes"] == repeats * len(word.encode())
    assert said["counts"]["tokens"] == (maker.folder / "ours/00000.ds").stat().st_size // 4
    assert said["resident"] - repeats * len(word.encode()) < 700_000_000
    assert said["resident"] < 1_000_000_000

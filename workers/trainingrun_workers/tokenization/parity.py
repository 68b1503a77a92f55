"""Whether an encoder gives the ids that the tokenizers library gives."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from trainingrun_workers.tokenization.encoders import ENCODER_ERRORS, Encoded, Encoder

CODE_POINTS: Final = 0x20000  # below which every one is tried; above are rare ideographs, tags and private use
ALIKE: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xAC00, 0xD7A4), (0xD800, 0xF900), (0x17000, 0x18B00))
ALIKE_STEP: Final = 64  # ideographs, syllables and private use, of which one in so many is tried
CODE_POINTS_A_TEXT: Final = 64
SHOWN: Final = 60  # characters of a text in a sentence
RUNS: Final = ("a", "é", "字", " ", "\n", "\t", "\r\n", " \n", "0", "٣", "=", "-*", "'s", "ab", "a1", "\u3000", "😀")
LENGTHS: Final = (1, 2, 3, 4, 5, 7, 8, 16, 63, 255, 256, 257, 1000, 5000)
ODDITIES: Final = (
    "I'm you're WE'LL he'D it'\u017f 'S'T don\u2019t ''s 's",  # the long s is an s where case doesn't count
    "  two\n \n\n  \r\n\r \t x \u00a0\u2003\u2028\u2029\u0085\v\f\x1c y\u200b\ufeffz ",
    "1 12 123 1234 12345678901 ½ Ⅳ ² ٣٤٥٦ 一二三 1,234.56e-7 0x1F 1\u066b2",
    "a\u0301 e\u0301\u0323 \u0915\u094d\u0937 \ud55c \u1112\u1161\u11ab İi Iı ß ẞ ﬁ ǆ Å \u212b",
    "👩\u200d👩\u200d👧 🇮🇹🇪🇺 👍🏽 ❤\ufe0f \U000e0067\U000e007f \U0010fffd \ufffd\uffff\ufdd0 \x00\x01\x7f",
    "שלום مرحبا \u202etxet\u202c नमस्ते ไทย 日本語テキスト 中文，标点。 Ελληνικά Русский",
    "def f(x):\n\treturn {'a': [1, 2]}  # ok\n\n\n    if x!=y&&z||~w: pass;;\n</div><br/>\n\n",
    "https://example.org/a?b=c&d=%20 me@example.org C:\\dir\\x ``` *** ### --- ... !!!??? «»„“",
    "<| <|end <|endoftext|> <s></s> [CLS][MASK] <unk> <|im_start|>user\n<|endoftext",
)


def difference(encoder: Encoder, reference: Encoder, texts: Sequence[str], expected: Encoded | None = None) -> str:
    """The sentence that says which of the texts gets other ids than by the reference; "" where none does.

    `expected` is what the reference makes of them, where that is known.
    """
    expected = expected or reference.encode(texts)
    try:
        made = encoder.encode(texts)
    except ENCODER_ERRORS as error:
        return f"{encoder.name} can't encode a text ({' '.join(str(error).split())[:200]})."
    if np.array_equal(made.ids, expected.ids) and np.array_equal(made.ends, expected.ends):
        return ""
    if len(texts) == 1:
        return difference_in(texts[0], encoder, reference)
    half = len(texts) // 2
    found = difference(encoder, reference, texts[:half]) or difference(encoder, reference, texts[half:])
    return found or f"{encoder.name} gives other ids than {reference.name} depending on the other texts of a batch."


def difference_in(text: str, encoder: Encoder, reference: Encoder) -> str:
    """The sentence for a text that gets other ids than by the reference."""
    shown = ascii(text if len(text) <= SHOWN else text[:SHOWN] + "...")
    return f"{encoder.name} gives other ids than {reference.name} for the text {shown}."


def probes(tokenizer: Tokenizer) -> list[str]:
    """Texts that encoders have been seen to differ on: the same ones each time, about a megabyte."""
    return [*ODDITIES, *_runs(), *_code_points(), *_added(tokenizer), *_random()]


def _runs() -> Iterator[str]:
    for run in RUNS:
        yield from (run * length for length in LENGTHS)
        yield f"x{run * 300}y {run * 3}Z"


def _code_points() -> Iterator[str]:
    alike = {one for first, end in ALIKE for one in range(first, end) if one % ALIKE_STEP}
    points = [one for one in range(CODE_POINTS) if one not in alike and not 0xD800 <= one < 0xE000]
    for begin in range(0, len(points), CODE_POINTS_A_TEXT):
        yield "".join(f"a{chr(one)}1 " for one in points[begin : begin + CODE_POINTS_A_TEXT])


def _added(tokenizer: Tokenizer) -> Iterator[str]:
    for one in tokenizer.get_added_tokens_decoder().values():
        token = one.content
        yield f"{token}a{token}{token} {token} \n{token}\n 1{token[:-1]} {token.upper()} "


def _random() -> Iterator[str]:
    source = random.Random(20_000)
    kinds = (
        "abcdeXYZ ",
        "0123456789 .,",
        " \t\n\r\u00a0\u2003",
        "'\"!?-_<|>/\\=",
        "àéîõüñßÇ ",
        "абвгд ЖЗ",
        "一二三。、",
        "😀\u200d\ufe0f\u0301",
    )
    for _ in range(300):
        length = source.randrange(1, 200)
        yield "".join(source.choice(source.choice(kinds)) for _ in range(length))

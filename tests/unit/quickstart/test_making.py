"""How the quickstart's data are made out of a book and a library."""

import subprocess
import sys
from pathlib import Path

import pytest
from making import handbook
from making.handbook import blocks_of
from making.questions import question
from tokenizers import Tokenizer

PAGE = """<html><body><ul class="docnav"><li>Prev</li></ul>
<h2 class="title"><a id="x"></a>10.8. DHCP &amp; DNS</h2>
<div class="para">A <code class="command">bind</code>
   server. <ul><li><div class="para">An item<br/> of it.</div></li></ul> The end.</div>
<pre class="screen">
# apt update
  Hit:1
</pre></body></html>"""


def test_a_page_becomes_headings_paragraphs_and_listings() -> None:
    assert blocks_of(PAGE) == [
        ("h2", "title", "DHCP & DNS"),
        ("div", "text", "A bind server. The end."),
        ("div", "text", "An item of it."),
        ("pre", "listing", "# apt update\n  Hit:1"),
    ]


def book(folder: Path, english: str, italian: str) -> Path:
    """An unpacked package of one page in two languages."""
    for locale, text in (("en-US", english), ("it-IT", italian)):
        page = folder / "usr/share/doc/debian-handbook/html" / locale / "sect.one.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<html><body><div class="para">{text}</div></body></html>', encoding="utf-8")
    return folder


def test_a_paragraph_that_nobody_translated_is_no_italian(tmp_path: Path) -> None:
    sentence = "This paragraph is in English, whatever the page around it says."
    unpacked = book(tmp_path, sentence, sentence)
    english = handbook.documents(unpacked, "en")
    assert [one.text() for one in english] == [sentence]
    assert [one.text() for one in handbook.documents(unpacked, "it", english)] == [""]


def test_languages_of_different_structure_are_refused_by_the_page_s_name(tmp_path: Path) -> None:
    unpacked = book(tmp_path, "One.", 'Uno.</div><div class="para">Due.')
    with pytest.raises(ValueError, match=r"sect\.one\.html has 2 blocks, but 1 in English"):
        handbook.documents(unpacked, "it", handbook.documents(unpacked, "en"))


def test_a_paragraph_of_one_word_repeated_makes_no_question() -> None:
    assert question("echo " * 60) is None


def test_the_tokenizer_gives_back_what_it_was_given(data: Path) -> None:
    tokenizer = Tokenizer.from_file(str(data / "tokenizer" / "tokenizer.json"))
    text = "Perché no?\n\n\tdef f(x): return '€ 日本'  # ok"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.get_vocab_size() == 4096
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
    assert [tokenizer.token_to_id(one) for one in specials] == [0, 1, 2, 3, 4]


def test_languages_without_english_first_are_refused(data: Path) -> None:
    command = [sys.executable, str(data / "make.py"), "--languages", "it,en"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "name en first" in result.stderr


def test_a_language_that_is_named_twice_is_refused(data: Path) -> None:
    command = [sys.executable, str(data / "make.py"), "--languages", "en,es", "--more", "es,fr"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "each other language once" in result.stderr

"""What the tokenize stage refuses, each in one sentence and before any work is done."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from engine.tokenize_pods import PATIENCE, Pods, Volume, source, spec, text, write_parquet
from trainingrun_workers.contract import Result, TokenizeSpec


def refused(pods: Pods, volume: Volume, described: TokenizeSpec) -> Result:
    result = pods.run(described)
    assert not (volume / "artifacts").exists(), "work began before everything was checked"
    assert result.message.count("\n") == 0
    return result


def test_the_image_of_another_stage_is_told(volume: Volume, engine_python: Callable[[str], Path]) -> None:
    pods = Pods(str(engine_python("lm-eval")), volume)  # it has numpy and tokenizers, and no datatrove
    try:
        result = refused(pods, volume, spec())
    finally:
        pods.close()
    assert (result.exit_code, result.reason) == (78, "WrongImage")
    assert "which a tokenize stage needs" in result.message


def test_a_missing_source_is_refused_before_any_work(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(sources=(source(), source(name="fr", path="raw/fr"))))
    assert (result.exit_code, result.reason) == (65, "SourceMissing")
    assert "'fr'" in result.message
    assert "'raw/fr'" in result.message


def test_a_source_without_files_is_refused(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(sources=(source(glob="**/*.pq"),)))
    assert (result.exit_code, result.reason) == (65, "SourceEmpty")
    assert "**/*.pq" in result.message


def test_a_source_without_rows_is_refused(pods: Pods, volume: Volume) -> None:
    write_parquet(volume / "raw/none/a.parquet", [])
    result = refused(pods, volume, spec(sources=(source(path="raw/none"),)))
    assert (result.exit_code, result.reason) == (65, "SourceEmpty")


def test_a_source_without_text_is_reported(pods: Pods, volume: Volume) -> None:
    write_parquet(volume / "raw/none/a.parquet", ["", None])
    result = pods.run(spec(sources=(source(path="raw/none"),)))
    assert (result.exit_code, result.reason) == (65, "SourceEmpty")


def test_a_torn_file_is_refused_by_name(pods: Pods, volume: Volume) -> None:
    file = volume / "raw/en/002.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    result = refused(pods, volume, spec())
    assert (result.exit_code, result.reason) == (65, "SourceCorrupt")
    assert "'raw/en/002.parquet'" in result.message


def test_a_file_that_is_corrupt_in_the_middle_is_reported_by_name_and_mending_it_goes_on(
    pods: Pods, volume: Volume
) -> None:
    file = volume / "raw/en/002.parquet"
    whole = file.read_bytes()
    middle = pq.ParquetFile(file).metadata.row_group(2).column(0).data_page_offset
    file.write_bytes(whole[:middle] + b"\xff" * 200 + whole[middle + 200 :])
    result = pods.run(spec())
    assert (result.exit_code, result.reason) == (65, "SourceCorrupt")
    assert "'raw/en/002.parquet'" in result.message
    file.write_bytes(whole)
    assert pods.run(spec(), attempt=1).exit_code == 0


def test_a_wrong_text_key_is_refused_with_the_columns_there_are(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(sources=(source(text_key="txt"),)))
    assert (result.exit_code, result.reason) == (65, "TextKeyMissing")
    assert "'txt'" in result.message
    assert "text, url" in result.message


def test_a_missing_tokenizer_is_refused(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(tokenizer="tokenizers/none"))
    assert (result.exit_code, result.reason) == (78, "TokenizerMissing")
    assert "'tokenizers/none'" in result.message


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(pods: Pods, volume: Volume) -> None:
    ids = Tokenizer.from_file(str(volume / "tokenizer/tokenizer.json")).get_vocab_size()
    result = refused(pods, volume, spec(vocab_size=ids - 1))
    assert (result.exit_code, result.reason) == (78, "VocabularyTooLarge")
    assert f"{ids:,} ids" in result.message
    assert f"room for {ids - 1:,}" in result.message


def test_a_model_that_cuts_documents_at_another_id_is_refused(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(end_of_text=7))
    assert (result.exit_code, result.reason) == (78, "EndOfTextDiffers")
    assert "eos_token_id is 7" in result.message


def test_a_claim_without_room_for_the_estimate_is_refused_with_figures(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(claim_bytes=100_000))
    assert (result.exit_code, result.reason) == (78, "ClaimTooSmall")
    assert "100 kB" in result.message


@pytest.fixture
def small_volume(volume: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    mount = tmp_path_factory.mktemp("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", mount], check=False).returncode:
        pytest.skip("needs to mount a small file system: run as root")
    try:
        shutil.copytree(volume, mount, dirs_exist_ok=True)
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def fill(volume: Volume, leave: int) -> Path:
    filler = volume / "filler"
    with filler.open("wb", buffering=0) as file:
        while (room := shutil.disk_usage(volume).free - leave) > 0:
            file.write(bytes(min(room, 1 << 20)))
    return filler


def test_a_volume_without_room_for_the_estimate_is_refused_with_figures(pods: Pods, small_volume: Volume) -> None:
    pods.volume = small_volume
    fill(small_volume, 100_000)
    result = refused(pods, small_volume, spec())
    assert (result.exit_code, result.reason) == (78, "ClaimTooSmall")
    assert "kB are free" in result.message


def test_a_volume_that_fills_up_asks_for_another_attempt_which_goes_on(pods: Pods, small_volume: Volume) -> None:
    pods.volume = small_volume
    write_parquet(small_volume / "raw/en/000.parquet", [text(i, 600) for i in range(2000)])
    process = pods.start(spec())
    deadline = time.monotonic() + PATIENCE
    while not list(small_volume.glob("artifacts/tokens/en/.tmp.*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    filler = fill(small_volume, 0)
    done = [one.name for one in (small_volume / "artifacts/tokens/en").glob("*.done.json")]
    process.send_signal(signal.SIGCONT)
    log, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, log
    assert '"VolumeFull"' in (small_volume / "last-uid-1-0-0").read_text() or "VolumeFull: " in log
    assert len(done) < 4
    filler.unlink()
    assert pods.run(spec(), attempt=1).exit_code == 0

"""The report's own configurations and scripts become one run that passes its check, and what contradicts is said."""

import shutil
from pathlib import Path

import pytest
import yaml

from trainingrun.cli import main
from trainingrun.commands.init.draft import Draft, Wanted, draft
from trainingrun.commands.init.reading import Given, speed, wanted

REPORT = Path(__file__).parent / "report"
NANOTRON, AXOLOTL = "zagreus_350M_ita.yaml", "opendata-zagreus-350M-sft-fsdp-debug.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The report's files, which a test may change, as the working folder."""
    shutil.copytree(REPORT, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def a_wanted(**given: object) -> Wanted:
    return wanted(Given(**given), speed("a100", 0.35))  # type: ignore[arg-type]


def the_run(**given: object) -> Draft:
    """What comes of the two scripts, which name both configurations, where nothing else is given."""
    return draft(a_wanted(**({"sbatch": ("pretrain.sh", "sft.sh")} | given)))


def said(made: Draft, kind: str = "contradiction") -> list[str]:
    return [one.message for one in made.notices if one.kind == kind]


def test_what_is_written_passes_the_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--from-sbatch", "pretrain.sh", "--from-sbatch", "sft.sh"]) == 0
    assert main(["check", "run.yaml"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("zagreus-350m: no errors.")


def test_the_scripts_name_the_configurations_and_both_are_carried_over(folder: Path) -> None:
    spec = the_run().manifest["spec"]
    pretrain, (variant,) = spec["pretrain"], spec["variants"]
    assert (pretrain["nodes"], pretrain["gpusPerNode"]) == (8, 8)
    assert pretrain["network"] == {"profile": "infiniband", "socketInterfaces": ["ib0", "eno", "eth"]}
    assert pretrain["resources"] == {"requests": {"cpu": "32"}}
    assert pretrain["config"]["tokens"]["train_steps"] == 2_000_000
    assert (variant["name"], variant["stages"][0]["sft"]["nodes"]) == ("opendata", 4)
    given = yaml.safe_load((folder / AXOLOTL).read_text())
    assert variant["stages"][0]["sft"]["config"]["chat_template_jinja"] == given["chat_template_jinja"]


def test_folders_of_tokens_become_sources_of_text(folder: Path) -> None:
    made = the_run()
    assert [(one["name"], one["path"], one.get("textKey")) for one in made.manifest["spec"]["data"]] == [
        ("fineweb-ita", "/training/pretraining/fineweb-ita", None),
        ("fineweb-edu-350bt", "/training/pretraining/fineweb-edu-350BT", None),
        ("finepdf-ita", "/training/pretraining/finepdf-ita", None),
        ("starcoder", "/training/pretraining/starcoder", "content"),
    ]
    assert any(f"{NANOTRON} line 11 names 10 folders of tokens" in one for one in said(made, "changed"))


@pytest.mark.parametrize(
    "sentence",
    [
        f"{NANOTRON} line 31 calls the run zagreus-350M, but the model of {NANOTRON} line 44 has 437.8 M parameters.",
        "pretrain.sh line 5 asks for 8 GPUs a node, but pretrain.sh line 28 starts 4 processes on each: 8 is written, "
        "which makes the 64 processes of the configuration.",
        'pretrain.sh line 4 says 8 nodes, but its comment says "4 nodes": 8 counts.',
        'pretrain.sh line 29 says 8 nodes, but its comment says "2": 8 counts.',
        "sft.sh line 5 asks for 8 GPUs a node, but sft.sh line 28 starts 4 processes on each: 8 is written.",
        'sft.sh line 4 says 4 nodes, but its comment says "2 nodes": 4 counts.',
        'sft.sh line 5 says 8 GPUs a node, but its comment says "4 A100 per node": 8 counts.',
        f"{NANOTRON} line 71: The learning rate reaches its floor of 1e-07 at step 800,000 of 2,000,000, so that 60 % "
        "of the run trains at it: set tokens.train_steps to 800,000, or raise lr_decay_starting_step or "
        "lr_decay_steps.",
        f"--tokens says 1 T, but {NANOTRON} line 105 makes 2,000,000 steps × 1,048,576 tokens = 2.097 T: the file "
        "counts; 953,674 steps would make 1 T.",
    ],
)
def test_each_contradiction_is_a_sentence_with_both_values_and_where_they_stand(sentence: str, folder: Path) -> None:
    assert sentence in said(the_run(tokens=10**12))


def test_a_contradiction_stands_where_it_is_about_and_the_rest_at_the_top(folder: Path) -> None:
    lines = the_run().text.splitlines()
    (about,) = [number for number, line in enumerate(lines) if line.endswith("gpusPerNode: 8") and line[4] != " "]
    above = "\n".join(lines[about - 2 : about])
    assert "# contradiction: pretrain.sh line 5 asks for 8 GPUs a node" in above
    assert any("--partition=PARTITION (pretrain.sh line 3)" in line for line in lines[:20])


def test_the_card_agrees_with_itself_where_the_report_does_not(folder: Path) -> None:
    script = (folder / "pretrain.sh").read_text()
    script = script.replace("# 4 nodes", "").replace("# 8 A100 per node", "# 8 A100 per node = 64 total")
    (folder / "pretrain.sh").write_text(script.replace("# 2", ""))
    assert not [one for one in said(the_run()) if one.startswith("pretrain.sh") and "comment" in one]


def test_a_value_that_no_engine_knows_is_left_out_and_named(folder: Path) -> None:
    """As the report's listing has it, where the card has 1f1b."""
    text = (folder / NANOTRON).read_text()
    (folder / NANOTRON).write_text(text.replace("1f1b", "lfb1b"))
    made = the_run()
    assert "pp_engine" not in made.manifest["spec"]["pretrain"]["config"]["parallelism"]
    (sentence,) = [one for one in said(made, "not carried over") if "pp_engine" in one]
    assert sentence.startswith(f'{NANOTRON} line 88, pp_engine: "lfb1b".')


def test_a_learning_rate_that_outlasts_training_is_shortened_and_told(folder: Path) -> None:
    text = (folder / NANOTRON).read_text()
    (folder / NANOTRON).write_text(text.replace("train_steps: 2000000", "train_steps: 780000"))
    made = the_run()
    schedule = made.manifest["spec"]["pretrain"]["config"]["optimizer"]["learning_rate_scheduler"]
    assert (schedule["lr_decay_starting_step"], schedule["lr_decay_steps"]) == (750_000, 30_000)
    assert any("decays until step 800,000" in one and "lr_decay_steps 30,000 are written" in one for one in said(made))


def test_nodes_that_do_not_make_the_processes_give_way_to_the_configuration(folder: Path) -> None:
    script = (folder / "pretrain.sh").read_text()
    (folder / "pretrain.sh").write_text(script.replace("--nodes=8", "--nodes=4"))
    made = the_run()
    assert made.manifest["spec"]["pretrain"]["nodes"] == 8
    (sentence,) = [one for one in said(made) if "dp·tp·pp" in one]
    assert f"{NANOTRON} line 85 asks for dp·tp·pp = 64·1·1 = 64 processes" in sentence
    assert "pretrain.sh line 4 asks for 4 nodes with 8 GPUs, which are 32" in sentence


def test_another_number_of_nodes_by_hand_changes_dp_and_says_so(folder: Path) -> None:
    made = the_run(nodes=2)
    assert made.manifest["spec"]["pretrain"]["config"]["parallelism"]["dp"] == 16
    assert any("dp 16 is written" in one for one in said(made))


def test_lengths_tokenizers_and_vocabularies_are_compared(folder: Path) -> None:
    text = (folder / AXOLOTL).read_text().replace("sequence_len: 4096", "sequence_len: 8192")
    (folder / AXOLOTL).write_text(text + "tokenizer_config: Qwen/Qwen3-0.6B\n")
    pretrain = (folder / NANOTRON).read_text().replace("vocab_size: 128256", "vocab_size: 128000")
    pretrain = pretrain.replace("_token_id: 128000", "_token_id: 1").replace("_token_id: 128001", "_token_id: 2")
    (folder / NANOTRON).write_text(pretrain)
    found = said(the_run())
    for sentence in (
        f"{AXOLOTL} line 21 says sequence_len 8,192, but pretraining ({NANOTRON} line 104) has sequence_length 4,096: "
        "positions beyond it were never trained; put a cpt stage before it.",
        f"{AXOLOTL} line 62 names the tokenizer Qwen/Qwen3-0.6B, but pretraining ({NANOTRON} line 97) has "
        "meta-llama/Llama-3.2-1B: the latter runs.",
        f"{NANOTRON} line 64 says vocab_size 128,000, but the tokenizer meta-llama/Llama-3.2-1B ({NANOTRON} line 97) "
        "has 128,256 ids, some of which the model would not know: set it to 128256.",
    ):
        assert sentence in found


def test_a_configuration_for_a_variant_goes_with_a_preset_and_is_compared_with_it(folder: Path) -> None:
    made = draft(a_wanted(preset="0.1b", axolotl=(AXOLOTL,)))
    assert [one["name"] for one in made.manifest["spec"]["variants"]] == ["opendata"]
    assert (
        f"{AXOLOTL} line 21 says sequence_len 4,096, but pretraining (preset 0.1b) has sequence_length 2,048: "
        "positions beyond it were never trained; put a cpt stage before it."
    ) in said(made)


def test_a_script_whose_configuration_is_not_here_names_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / NANOTRON).unlink()
    assert main(["init", "--from-sbatch", "pretrain.sh"]) == 2
    assert capsys.readouterr().err == (
        "pretrain.sh line 36 names the configuration smollm2/zagreus_350M_ita.yaml, which isn't here: give it with "
        "--from-nanotron.\n"
    )


def test_an_axolotl_configuration_that_goes_on_from_another_is_its_next_stage(folder: Path) -> None:
    (folder / "dpo.yaml").write_text(
        "base_model: ./ale_outputs/opendata-zagreus-sft-final\nrl: ipo\nlearning_rate: 1.0e-6\nsequence_len: 4096\n"
        "micro_batch_size: 1\ngradient_accumulation_steps: 8\nnum_epochs: 1\nchat_template: chatml\n"
        "datasets: [{path: pairs.jsonl, type: chat_template}]\n"
    )
    made = the_run(sbatch=("pretrain.sh",), axolotl=(AXOLOTL, "dpo.yaml"))
    (variant,) = made.manifest["spec"]["variants"]
    assert [list(stage) for stage in variant["stages"]] == [["sft"], ["dpo"]]
    assert variant["stages"][1]["dpo"]["config"]["dpo_loss_type"] == ["ipo"]
    assert any("rl ipo is dpo_loss_type" in one for one in said(made, "changed"))


def test_nothing_is_written_over_without_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.yaml").write_text("mine")
    command = ["init", "--from-sbatch", "pretrain.sh"]
    assert main(command) == 2
    assert capsys.readouterr().err.startswith("run.yaml is there already")
    assert (folder / "run.yaml").read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert capsys.readouterr().out.endswith("Next: trainingrun doctor -f run.yaml\n")


def test_another_architecture_is_refused_and_nothing_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / NANOTRON).read_text()
    (folder / NANOTRON).write_text(text.replace("is_llama_config: true", "is_qwen2_config: true"))
    assert main(["init", "--from-nanotron", NANOTRON]) == 1
    printed = capsys.readouterr().err
    assert f"{NANOTRON} line 51: model.model_config.is_qwen2_config asks for another architecture" in printed
    assert printed.endswith("Nothing was written.\n")
    assert not (folder / "run.yaml").exists()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["--from-axolotl", AXOLOTL], "A run begins with a base model: give --from-nanotron"),
        (["--from-nanotron", AXOLOTL], f"{AXOLOTL} is no nanotron configuration"),
        (["--preset", "0.4b", "--from-nanotron", NANOTRON], "Both --preset and"),
        (["--preset", "5b"], "--preset 5b is none: choose one of 0.1b, 0.4b, 1b, 3b."),
        (["--preset", "1b", "--tokens", "many"], "--tokens many is no number of tokens: write it as 350B or 1T."),
        (["--preset", "1b", "--gpu", "k80"], "--gpu k80 is none whose speed is known"),
        (["--preset", "1b", "--name", "Big_1"], "--name Big_1 becomes part of host names"),
        (["--from-nanotron", "absent.yaml"], "absent.yaml can't be read: No such file or directory."),
        (["--from-sbatch", "pretrain.sh", "--from-sbatch", "pretrain.sh"], "Both pretrain.sh and pretrain.sh start"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    command: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *command]) in (1, 2)
    assert sentence in capsys.readouterr().err
    assert not (folder / "run.yaml").exists()

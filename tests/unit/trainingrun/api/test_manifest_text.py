"""A manifest's text is read as kubectl and the API server would, and each fault is told in a line of its own."""

import pytest

from admission_cases import RUNS, Case
from builders import QUICKSTART, a_manifest
from trainingrun.api.manifest_text import BadManifestError, read
from trainingrun.api.yaml_text import documents, dumped

QUICKSTART_TEXT = QUICKSTART.read_text()


def fault(text: str) -> str:
    """What is said against a text."""
    with pytest.raises(BadManifestError) as error:
        read(text, "run.yaml")
    return str(error.value)


def test_the_quickstart_is_read() -> None:
    run = read(QUICKSTART_TEXT, "run.yaml")
    assert run.metadata.name == "quickstart"
    assert run.metadata.namespace == "default"


def test_a_run_is_found_among_other_objects() -> None:
    claim = "apiVersion: v1\nkind: PersistentVolumeClaim\n"
    assert read(f"{claim}---\n{QUICKSTART_TEXT}---\n", "run.yaml").metadata.name == "quickstart"


@pytest.mark.parametrize("case", [one for one in RUNS if one.refused is None], ids=lambda case: case.name)
def test_what_the_api_server_accepts_is_read(case: Case) -> None:
    assert read(dumped(case.manifest()), "run.yaml").metadata.name == case.manifest()["metadata"]["name"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "run.yaml should hold one TrainingRun, but has no Kubernetes object."),
        ("kind: Pod", "run.yaml should hold one TrainingRun, but has Pod."),
        (f"{QUICKSTART_TEXT}---\n{QUICKSTART_TEXT}", "run.yaml should hold one TrainingRun, but has 2 of them."),
        ("a: [1", "run.yaml, line 1 is not YAML: expected ',' or ']', but got '<stream end>'."),
        ("a: 1\nb: 2\na: 3", "run.yaml, line 3 is not YAML: the key a occurs twice."),
        ("a: \x07", "run.yaml is not YAML: unacceptable character"),
        ("kind: TrainingRun\napiVersion: trainingrun.dev/v2", "knows trainingrun.dev/v1alpha1: change it."),
    ],
    ids=lambda text: text[:20].replace("\n", " "),
)
def test_a_text_that_is_no_run_is_told_in_one_sentence(text: str, said: str) -> None:
    assert said in fault(text)
    assert "\n" not in fault(text)


def test_an_unknown_field_is_told_with_the_nearest_one() -> None:
    manifest = a_manifest()
    manifest["spec"]["pretrain"]["gpus_per_node"] = 8
    manifest["spec"]["data"][1]["textkey"] = "x"
    manifest["spec"]["storage"]["zzz"] = 1
    assert fault(dumped(manifest)).splitlines() == [
        "spec.storage.zzz: is no field: there are claim, claimName, deletionPolicy.",
        "spec.data[1].textkey: is no field: did you mean textKey?",
        "spec.pretrain.gpus_per_node: is no field: did you mean gpusPerNode?",
    ]


def test_every_wrong_value_is_told_with_its_place() -> None:
    manifest = a_manifest()
    manifest["spec"]["pretrain"] |= {"nodes": "2", "engine": "megatron"}
    del manifest["spec"]["pretrain"]["config"], manifest["spec"]["tokenizer"]
    manifest["spec"]["data"][0]["weight"] = -1
    assert fault(dumped(manifest)).splitlines() == [
        "spec.tokenizer: is missing: add it.",
        "spec.data[0].weight: input should be greater than 0, but is -1.",
        "spec.pretrain.nodes: input should be a valid integer, but is '2'.",
        "spec.pretrain.engine: input should be 'nanotron', 'torch' or 'custom', but is 'megatron'.",
        "spec.pretrain.config: is missing: add it.",
    ]


def test_a_run_without_name_or_spec_is_told_so() -> None:
    text = "apiVersion: trainingrun.dev/v1alpha1\nkind: TrainingRun\n"
    assert fault(text).splitlines() == [
        "metadata.name: is missing: give the run a name.",
        "spec: is missing: say what is to be trained.",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1.0e-03", 0.001), ("-.5", -0.5), ("1_000", 1000), ("0x10", 16), ("010", 8), ("08", 8.0)],
)
def test_a_number_is_read_as_kubectl_reads_it(text: str, value: float) -> None:
    (found,) = documents(f"a: {text}")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize("text", ["2027-01-15", "1:30", "v1", "10Gi", "1e"])
def test_a_text_stays_a_text(text: str) -> None:
    assert documents(f"a: {text}") == [{"a": text}]


def test_what_is_dumped_is_read_back_the_same() -> None:
    value = {"time": "2027-01-15", "number": "1e-3", "lines": "a\nb\n", "float": 1e-05, "list": [{"a": 1}, "0x1"]}
    assert documents(dumped(value)) == [value]

"""What is applied, out of a file, a document or a TrainingRun."""

from pathlib import Path

import pytest

from builders import QUICKSTART, a_manifest
from trainingrun import CommandError, TrainingRun
from trainingrun.library.manifests import manifest_of, without_nulls


def test_a_file_is_applied_as_kubectl_applies_it() -> None:
    found = manifest_of(QUICKSTART)
    assert found == manifest_of(str(QUICKSTART))
    assert (found["kind"], found["metadata"]) == ("TrainingRun", {"name": "quickstart"})
    wanted = a_manifest()["spec"]
    assert wanted["pretrain"]["config"]["model"]["model_config"].pop("pad_token_id") is None, "a null is left out"
    assert wanted["pretrain"]["config"]["model"]["model_config"].pop("rope_scaling") is None
    assert found["spec"] == wanted


def test_a_document_keeps_its_labels_and_loses_what_the_server_set() -> None:
    manifest = a_manifest("mine")
    manifest["metadata"] |= {"labels": {"team": "a"}, "uid": "u", "resourceVersion": "1", "managedFields": []}
    manifest["status"] = {"phase": "Failed"}
    found = manifest_of(manifest)
    assert found["metadata"] == {"name": "mine", "namespace": "default", "labels": {"team": "a"}}
    assert "status" not in found


def test_a_run_is_applied_with_what_was_set_and_no_default() -> None:
    manifest = a_manifest("mine")
    run = TrainingRun.from_object(manifest)
    assert manifest_of(run)["spec"] == without_nulls(manifest["spec"])


def test_a_fault_is_told_with_its_place(tmp_path: Path) -> None:
    manifest = a_manifest()
    manifest["spec"]["tokenise"] = manifest["spec"].pop("tokenize")
    with pytest.raises(CommandError, match="tokenise: is no field: did you mean tokenize"):
        manifest_of(manifest)
    with pytest.raises(CommandError, match=r"none\.yaml can't be read: No such file"):
        manifest_of(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff")
    with pytest.raises(CommandError, match="is not YAML: byte 3 is not UTF-8"):
        manifest_of(tmp_path / "binary.yaml")

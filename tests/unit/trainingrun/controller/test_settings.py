import dataclasses
import json

import pytest

from trainingrun.controller.settings import (
    OPERATOR_VARIABLES,
    STAGE_VARIABLES,
    OperatorSettings,
    SettingsError,
    operator_settings,
    stage_settings,
)
from trainingrun.stages.settings import ROLES, Settings

IMAGES = json.dumps({role: f"registry.example/{role}:1" for role in ROLES})


def test_every_setting_can_be_set() -> None:
    for table, settings in ((STAGE_VARIABLES, Settings), (OPERATOR_VARIABLES, OperatorSettings)):
        fields = {one.name for one in dataclasses.fields(settings)}
        assert {field for field, _ in table.values()} == fields


def test_what_is_not_set_has_its_default() -> None:
    assert operator_settings({}) == OperatorSettings()
    assert stage_settings({"TRAININGRUN_IMAGES": IMAGES}).report_seconds == Settings().report_seconds


def test_values_are_read_as_what_they_are() -> None:
    settings = stage_settings(
        {"TRAININGRUN_IMAGES": IMAGES, "TRAININGRUN_FS_GROUP": "", "TRAININGRUN_IMAGE_PULL_SECRETS": "a, b"}
    )
    assert settings.images["sft"] == "registry.example/sft:1"
    assert settings.fs_group is None
    assert settings.image_pull_secrets == ("a", "b")
    assert operator_settings({"TRAININGRUN_READ_NODES": "false"}).read_nodes is False


def test_an_image_that_is_missing_is_named() -> None:
    images = json.dumps({role: "x" for role in ROLES if role != "convert"})
    with pytest.raises(SettingsError, match=r"names no image for convert: set images\.convert"):
        stage_settings({"TRAININGRUN_IMAGES": images})


@pytest.mark.parametrize(
    ("name", "text"),
    [("IMAGES", "[]"), ("IMAGES", "{"), ("TOKEN_SECONDS", "an hour"), ("REPORT_SECONDS", "")],
)
def test_a_variable_that_cant_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"TRAININGRUN_{name} can't be read as"):
        stage_settings({"TRAININGRUN_IMAGES": IMAGES, f"TRAININGRUN_{name}": text})


def test_a_flag_is_true_or_false() -> None:
    with pytest.raises(SettingsError, match="neither true nor false"):
        operator_settings({"TRAININGRUN_READ_NODES": "yes"})

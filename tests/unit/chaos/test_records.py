"""What was measured of faults, and the table of it."""

from pathlib import Path

import pytest

from chaos.records import FREE, LOST, RUNNING, Record, given, percentile, read, table, too_slow
from chaos.scenarios import FAULTS, SCENARIOS, SHORT

TWENTY = [Record("rank killed", True, {RUNNING: float(seconds), LOST: 3.0}) for seconds in range(1, 21)]


@pytest.mark.parametrize(("share", "value"), [(0.5, 10.0), (0.95, 19.0), (1.0, 20.0), (0.0, 1.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(one) for one in range(20, 0, -1)], share) == value


def test_of_a_single_value_every_percentile_is_that_one() -> None:
    assert percentile([7.0], 0.95) == 7.0


def test_a_fault_has_a_row_with_times_tried_recovered_and_measured() -> None:
    rows = table([*TWENTY, Record("rank killed", False, note="It did not come back.")]).splitlines()
    assert rows[2].startswith("| rank killed | 21 | 20 | – | – | 10.0 / 19.0 | – | 3 / 3 |")
    assert "gang running, s (≤ 60)" in rows[0]
    assert {row.count("|") for row in rows} == {rows[0].count("|")}


def test_figures_of_a_fault_of_its_own_stand_beside_the_others() -> None:
    rows = table([Record("operator killed", True, {"operator ready": 3.5})]).splitlines()
    assert rows[2].endswith("| operator ready 3.5 / 3.5 s |")


def test_a_limit_is_broken_by_the_95th_percentile_and_not_by_one_of_twenty() -> None:
    slow = Record("rank killed", True, {FREE: 31.0})
    quick = Record("rank killed", True, {FREE: 2.0})
    assert too_slow([slow] + [quick] * 19) == []
    assert too_slow([slow, slow] + [quick] * 18) == ["rank killed: pods gone after 31 s, which is above 30 s."]


def test_a_recovery_whose_curve_is_not_whole_is_none() -> None:
    spoilt = given(Record("rank killed", True), whole=False)
    assert not spoilt.recovered
    assert "each step exactly once" in spoilt.note
    assert given(TWENTY[0], whole=True) == TWENTY[0]


def test_records_outlive_the_program(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    assert read(file) == []
    file.write_text("".join(one.to_json() + "\n" for one in TWENTY))
    assert read(file) == TWENTY


def test_the_short_form_names_faults_that_there_are() -> None:
    assert set(SHORT) <= {*FAULTS, *SCENARIOS}

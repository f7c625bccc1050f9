"""A run's epochs are found by their names and in their order, whatever lies beside them."""

from pathlib import Path

from deit_core.layout import RunFiles


def test_epochs_are_found_in_their_order(tmp_path: Path) -> None:
    for epoch in (10_000, 9_999, 2, 1):
        RunFiles(tmp_path).epoch(epoch).parent.mkdir(exist_ok=True)
        RunFiles(tmp_path).epoch(epoch).touch()
    assert list(RunFiles(tmp_path).epochs()) == [1, 2, 9_999, 10_000]
    assert RunFiles(tmp_path / "nowhere").epochs() == {}


def test_what_a_run_did_not_name_is_no_epoch(tmp_path: Path) -> None:
    RunFiles(tmp_path).epoch(7).parent.mkdir()
    RunFiles(tmp_path).epoch(7).touch()
    for name in ("._0001", "0001 (copy)", "0001~", "7", "00007", "٠٠٠٧", "00001", "٠٠٠٣", "-001", "best", "0001.old"):
        (tmp_path / "epochs" / f"{name}.safetensors").touch()
    (tmp_path / "epochs" / "0002.safetensors").mkdir()
    (tmp_path / "epochs" / "0003.safetensors.part").touch()
    assert RunFiles(tmp_path).epochs() == {7: RunFiles(tmp_path).epoch(7)}

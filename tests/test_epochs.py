"""A run's epochs are found by their names and in their order, whatever lies beside them."""

from pathlib import Path

from deit_core.epochs import epoch_file, epoch_files


def test_epochs_are_found_in_their_order(tmp_path: Path) -> None:
    for epoch in (10_000, 9_999, 2, 1):
        epoch_file(tmp_path, epoch).parent.mkdir(exist_ok=True)
        epoch_file(tmp_path, epoch).touch()
    assert list(epoch_files(tmp_path)) == [1, 2, 9_999, 10_000]
    assert epoch_files(tmp_path / "nowhere") == {}


def test_what_a_run_did_not_name_is_no_epoch(tmp_path: Path) -> None:
    epoch_file(tmp_path, 7).parent.mkdir()
    epoch_file(tmp_path, 7).touch()
    for name in ("._0001", "0001 (copy)", "0001~", "7", "00007", "٠٠٠٧", "00001", "٠٠٠٣", "-001", "best", "0001.old"):
        (tmp_path / "epochs" / f"{name}.safetensors").touch()
    (tmp_path / "epochs" / "0002.safetensors").mkdir()
    (tmp_path / "epochs" / "0003.safetensors.part").touch()
    assert epoch_files(tmp_path) == {7: epoch_file(tmp_path, 7)}

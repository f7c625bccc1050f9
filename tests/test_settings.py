"""Settings go to another process through its environment, and arrive there as they were."""

from pathlib import Path

import pytest

from deit_core.errors import SpecError
from deit_core.machine.limits import num_cores
from deit_core.settings import Settings


@pytest.mark.parametrize("name", ["runs", "what?next", "100%", "a b", "ünï"])
def test_another_process_finds_the_same_settings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_WORKERS", "2")
    monkeypatch.setenv("DEIT_LOGITS_GB", "0.5")
    monkeypatch.delenv("DEIT_STORE", raising=False)
    settings = Settings.from_env(runs_dir=tmp_path / name, data_dir=tmp_path / "elsewhere")
    for variable, value in settings.environment().items():
        monkeypatch.setenv(variable, value)
    assert Settings.from_env() == settings


@pytest.mark.parametrize("workers", ["1000", "-1", "many", "9" * 5000, str(2 * num_cores() + 1)])
def test_no_more_runs_train_at_once_than_the_machine_can_bear(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_WORKERS", workers)
    with pytest.raises(SpecError, match=rf"set it to 1 or more, on this machine at most {2 * num_cores()} "):
        Settings.from_env()


def test_a_machine_trains_the_runs_of_a_shared_store_only_if_it_is_meant_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEIT_WORKERS", raising=False)
    monkeypatch.delenv("DEIT_STORE", raising=False)
    assert Settings.from_env().num_workers == 1
    monkeypatch.setenv("DEIT_STORE", "postgresql+psycopg://lab:right@db.example.org/lab")
    assert Settings.from_env().num_workers == 0
    monkeypatch.setenv("DEIT_WORKERS", "2")
    assert Settings.from_env().num_workers == 2


def test_two_runs_a_core_may_train_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_WORKERS", str(2 * num_cores()))
    assert Settings.from_env().num_workers == 2 * num_cores()


def test_the_room_for_logits_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEIT_LOGITS_GB", raising=False)
    assert Settings.from_env().logits_gb == 4
    for text, value in (("", 4), ("0", 0), ("2.5", 2.5)):
        monkeypatch.setenv("DEIT_LOGITS_GB", text)
        assert Settings.from_env().logits_gb == value
    for text in ("many", "-1", "nan", "inf"):
        monkeypatch.setenv("DEIT_LOGITS_GB", text)
        with pytest.raises(SpecError, match="DEIT_LOGITS_GB is the disk space"):
            Settings.from_env()

"""Settings go to another process through its environment, and arrive there as they were."""

from pathlib import Path

import pytest

from deit_core.settings import Settings


@pytest.mark.parametrize("name", ["runs", "what?next", "100%", "a b", "ünï"])
def test_another_process_finds_the_same_settings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_WORKERS", "3")
    monkeypatch.setenv("DEIT_LOGITS_GB", "0.5")
    monkeypatch.delenv("DEIT_STORE", raising=False)
    settings = Settings.from_env(runs_dir=tmp_path / name, data_dir=tmp_path / "elsewhere")
    for variable, value in settings.environment().items():
        monkeypatch.setenv(variable, value)
    assert Settings.from_env() == settings

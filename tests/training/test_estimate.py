"""How the estimate of a spec is put together from those of its runs, which are measured elsewhere."""

from pathlib import Path

import pytest

from deit_core import presets
from deit_core.spec import replace
from deit_core.training import estimate


def test_a_run_counts_once_a_seed_and_its_teacher_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "estimate_duration", lambda run, *_: float(run.optim.epochs))
    spec = replace(presets.digits_quick(), {"seeds": 3})
    assert estimate.estimate_durations(spec, tmp_path, 1) == {"teacher": 8.0, "vit": 60.0, "deit": 60.0}

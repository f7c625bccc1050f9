"""`submit --sweep`: several values of a field become the runs of one experiment."""

import pytest
from program import Program

from deit_core.runs import Store, open_store
from deit_core.settings import Settings


@pytest.fixture
def store(deit: Program, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("DEIT_WORKERS", "0")
    return open_store(Settings.from_env().store_url)


def test_a_grid_is_submitted_as_one_experiment(deit: Program, store: Store) -> None:
    done = deit("submit", "digits-quick", "--sweep", "vit.optim.lr=1e-3,2e-3", "--set", "optim.epochs=9")
    assert done.code == 0
    runs = store.runs()[::-1]
    assert done.stdout.decode().split() == [run.id for run in runs]
    assert [run.name for run in runs] == ["teacher", "vit lr 0.001", "deit", "vit lr 0.002"]
    assert {run.spec.optim.epochs for run in runs} == {9}
    (experiment,) = store.experiments()
    assert experiment.name == "digits-quick sweep"
    assert experiment.spec is not None
    assert experiment.spec.sweep is not None
    assert len(experiment.spec.runs) == 3, "the sweep, not what it makes"


def test_a_sweep_may_be_larger_than_another_experiment(deit: Program, store: Store) -> None:
    done = deit("submit", "smoke", "--sweep", "optim.lr=1e-4..1e-2", "--trials", "150", "--sweep-seed", "7")
    assert (done.code, len(store.runs())) == (0, 150)
    values = ",".join(map(str, range(250)))
    refused = deit("submit", "digits-quick", "--sweep", f"seed={values}", "--set", "seeds=3")
    assert refused.code == 2
    assert (
        "This experiment asks for 1,501 runs, and 1,000 can be submitted at once; lower its seeds" in refused.last_line
    )
    assert len(store.runs()) == 150


@pytest.mark.parametrize("words", [("--trials", "5"), ("--stop-early",)])
def test_how_to_sweep_needs_what_to_sweep(deit: Program, store: Store, words: tuple[str, ...]) -> None:
    done = deit("submit", "smoke", *words)
    assert done.code == 2
    assert "--trials and --stop-early are about a sweep; say with --sweep which values to try." in done.last_line
    assert store.runs() == []

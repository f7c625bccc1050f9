"""A dashboard over a store of its own: a run that trains, and one with weights. No worker starts."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner

from dashboard import state
from deit_core import presets
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, Store, enqueue
from deit_core.runs.engines import local
from deit_core.runs.estimates import Estimates


class _Worker:
    """Stands for a worker process that never does anything."""

    pid = -1

    def poll(self) -> None:
        return None


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("dashboard")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DEIT_RUNS_DIR", str(folder / "runs"))
        patched.setenv("DEIT_DATA_DIR", str(folder / "data"))
        patched.delenv("DEIT_STORE", raising=False)
        patched.setattr(local, "start_worker", lambda *_: _Worker())
        patched.setattr(Estimates, "request", lambda *_: None)
        scan = cache(manifest_scanner.scan_component_manifests)  # in all installed packages, once instead of per page
        patched.setattr(manifest_scanner, "scan_component_manifests", scan)
        st.cache_resource.clear()
        st.cache_data.clear()
        _fill(state.store(), folder / "runs")
        yield state.store()
        state.store().close()
        st.cache_resource.clear()
        st.cache_data.clear()


def _fill(store: Store, runs_dir: Path) -> None:
    spec = presets.smoke()
    training, finished = (enqueue(store, spec)[0] for _ in range(2))
    for run_id in (training, finished):
        store.set_status(run_id, Status.RUNNING)
    store.set_status(finished, Status.COMPLETED)
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1
    )
    for name in ("best", "last"):
        save_weights(run_folder(runs_dir, finished) / f"{name}.safetensors", build_model(spec, num_classes=10), card)

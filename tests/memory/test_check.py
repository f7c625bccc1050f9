"""The memory check says of every preset whether it fits, and refuses what does not before anything is built."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace as with_fields
from pathlib import Path

import pytest

from deit_core import presets
from deit_core.catalog import SOURCES, SourceFacts
from deit_core.errors import ResourceError
from deit_core.layout import RunFiles
from deit_core.memory import check_free, check_granted, check_model, memory_needed
from deit_core.runs import Store, enqueue, open_store, submit
from deit_core.runs.estimates import Estimates
from deit_core.runs.estimator import measure
from deit_core.runs.foreground import train_here
from deit_core.runs.launcher import check_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, members, replace

GB = 10**9
FOLDER = SourceFacts("", tuple("abcdefghij"), 3, None, 5_000, 1_000, flips_keep_class=True, origin="")  # made up
HUGE = {"model.embed_dim": 2048, "model.depth": 48, "model.num_heads": 16, "model.mlp_ratio": 8}
FIT_4_GB = {
    "smoke", "digits-quick", "fashion-classroom", "cifar10-quick", "fashion-miniproject", "mnist-soft-resnet50",
    "fashion-full", "fashion-long", "fashion-few-labels", "fashion-epochs", "fashion-fractions", "cifar10-full",
    "scattered-quick", "scattered-few-labels", "mnist-soft-resnet9", "mnist-soft-efficientnet",
    "table-3", "table-2", "ablation", "repeated-aug",
    "lesson-fractions", "lesson-positions", "lesson-skips", "lesson-teachers",
}  # fmt: skip


@pytest.fixture
def huge() -> RunSpec:
    return replace(presets.smoke(), HUGE)


@pytest.fixture(autouse=True)
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU, and memory that no test can be asked for more of than there is."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("deit_core.memory.check.total_memory", lambda: 4 * GB)


@pytest.mark.parametrize("name", presets.names())
def test_with_4_gb_a_preset_fits_or_says_in_a_sentence_that_it_does_not(name: str, tmp_path: Path) -> None:
    spec = presets.get(name)
    source = members(spec)[0].data.source
    sentence = r"^'[\w-]+' needs about [\d.]+ GB of memory \(.*\), and this machine grants 4\.0 GB; [^\n]+\.$"
    with nullcontext() if name in FIT_4_GB else pytest.raises(ResourceError, match=sentence):
        check_granted(spec, tmp_path, granted=4 * GB, facts=SOURCES.get(source, FOLDER))


@pytest.mark.parametrize("name", presets.names())
def test_with_100_gb_every_preset_fits(name: str, tmp_path: Path) -> None:
    spec = presets.get(name)
    facts = SOURCES.get(members(spec)[0].data.source, FOLDER)
    batches = {"optim.batch_size": 64} if name.startswith("imagenet") else {}  # 1024 images are for GPUs
    check_granted(replace(spec, batches), tmp_path, granted=100 * GB, facts=facts)


@pytest.mark.parametrize("name", ["smoke", "digits-quick", "fashion-miniproject"])
def test_what_fits_a_small_machine_is_not_refused(name: str, tmp_path: Path) -> None:
    """The runs of these that were measured took at most 0.4, 0.4 and 1.1 GB (docs/performance.md)."""
    check_granted(presets.get(name), tmp_path, granted=(1_500 if "fashion" in name else 600) * 10**6)


@pytest.mark.parametrize(
    ("changes", "part", "remedy"),
    [
        (HUGE, "for the model", "choose a smaller model"),
        ({"optim.batch_size": 8192, "data.img_size": 128, "model.patch_size": 2}, "for each step", "optim.batch_size"),
        ({"data.source": "mnist", "data.img_size": 512, "model.patch_size": 64}, "for its images", "data.fraction"),
    ],
)
def test_the_message_names_what_takes_most(changes: dict[str, object], part: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"'smoke' needs about \d+\.\d GB of memory") as caught:
        check_granted(replace(presets.smoke(), changes), tmp_path, granted=4 * GB)
    assert str(caught.value).partition("(")[2].partition(",")[0].endswith(part)
    assert remedy in str(caught.value).rpartition(";")[2]


def test_more_of_anything_needs_more() -> None:
    spec, facts = presets.smoke(), SOURCES["digits"]
    plain = memory_needed(spec, facts).total
    for changes in (
        {"model.depth": 3},
        {"optim.batch_size": 512},
        {"data.img_size": 64},
        {"augment.crop_padding": 8},
        {"optim.ema": "separate"},
    ):
        assert memory_needed(replace(spec, changes), facts).total > plain
    assert (
        memory_needed(replace(spec, HUGE), facts, on_gpu=True).total < memory_needed(replace(spec, HUGE), facts).total
    )


def test_a_table_of_logits_is_a_file_and_refuses_nothing() -> None:
    experiment = replace(
        presets.fashion_miniproject(), {"distillation.stored_views": "all", "augment.mixup_alpha": 0.8}
    )
    teacher, _, deit = members(experiment)
    needed = memory_needed(deit, SOURCES["fashion-mnist"], teacher=teacher)
    assert needed.logits == 54_000 * 10 * (10 * 4 + 4)
    off = replace(experiment, {"distillation.stored_logits": "off"})
    assert memory_needed(members(off)[2], SOURCES["fashion-mnist"], teacher=teacher).total == needed.total


BEGINNINGS: dict[str, Callable[[Store, Settings, RunSpec], object]] = {
    "submit": lambda store, settings, spec: submit(store, spec, settings),
    "train": lambda store, settings, spec: train_here(store, settings, spec, lambda *_: None),
    "estimate": lambda _store, settings, spec: Estimates(settings).request(spec),
    "measure": lambda _store, settings, spec: measure(spec, settings),
}


@pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS)
def test_what_does_not_fit_is_refused_before_it_is_begun(
    begin: Callable[[Store, Settings, RunSpec], object], huge: RunSpec, settings: Settings
) -> None:
    store = open_store(settings.store_url)
    with pytest.raises(ResourceError, match="'smoke' needs about"):
        begin(store, settings, huge)
    assert store.runs() == []
    assert not (settings.runs_dir / "estimates").exists()


def test_a_machine_judges_no_run_that_others_train(huge: RunSpec, settings: Settings) -> None:
    for spec in (huge, replace(huge, {"compute.engine": "local"})):
        with pytest.raises(ResourceError):
            check_here(spec, settings)
        check_here(spec, with_fields(settings, num_workers=0))
    check_here(replace(huge, {"compute.engine": "slurm"}), settings)


def test_a_session_is_refused_where_too_little_is_free(
    huge: RunSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was queued where there was more memory."""
    from deit_core.training import train

    monkeypatch.setattr("deit_core.memory.check.available_memory", lambda: 3 * GB)
    with pytest.raises(
        ResourceError, match=r"'smoke' needs about .* and only 3\.0 GB are free now; .* or choose a smaller"
    ):
        list(train(huge, run_dir=settings.runs_dir / "run", data_dir=settings.data_dir))
    with pytest.raises(ResourceError, match="free now"):
        check_free(huge, settings.runs_dir)
    check_free(presets.smoke(), settings.runs_dir)


def test_the_teacher_of_a_run_counts(huge: RunSpec, tmp_path: Path) -> None:
    """By its run, by the card in a file, and not where there is neither."""
    _, _, deit = members(presets.digits_quick())
    folder = tmp_path / "teacher-run"
    folder.mkdir()
    RunFiles(folder).spec.write_text(huge.model_dump_json())
    card = json.dumps({"spec": json.loads(huge.model_dump_json())})
    header = json.dumps({"__metadata__": {"deit_lab": card}}).encode()
    file = tmp_path / "teacher.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    for name in ("teacher-run", str(folder), str(file)):
        student = replace(deit, {"distillation.teacher": name})
        with pytest.raises(ResourceError, match="choose a smaller teacher"):
            check_granted(student, tmp_path, granted=4 * GB)
    file.write_bytes(b"\xff" * 20)
    for name in (str(file), "nowhere"):
        check_granted(replace(deit, {"distillation.teacher": name}), tmp_path, granted=4 * GB)


def test_an_experiment_names_the_run_that_is_too_large(tmp_path: Path) -> None:
    experiment = presets.digits_quick()
    assert isinstance(experiment, ExperimentSpec)
    wide = {f"deit.{path}": value for path, value in HUGE.items()}
    with pytest.raises(ResourceError, match=r"^'deit' needs"):
        check_granted(replace(experiment, wide), tmp_path, granted=4 * GB)


def test_a_model_of_a_card_must_fit(huge: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    check_model("a file", presets.smoke(), 1, 10)
    monkeypatch.setattr("deit_core.memory.check.available_memory", lambda: 3 * GB)
    sentence = r"^a file describes a model that needs about 32\.\d GB of memory, and 3\.0 GB are free; "
    with pytest.raises(ResourceError, match=sentence):
        check_model("a file", huge, 1, 10)


def test_a_run_that_waits_for_a_gpu_is_not_measured_by_a_cpu(
    huge: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = replace(presets.smoke(), {"optim.batch_size": 8192, "data.img_size": 128, "model.patch_size": 2})
    monkeypatch.setattr("deit_core.memory.check.may_have_gpu", lambda: True)
    check_granted(large, tmp_path, granted=4 * GB)
    with pytest.raises(ResourceError):
        check_granted(replace(large, {"compute.device": "cpu"}), tmp_path, granted=4 * GB)
    with pytest.raises(ResourceError):  # built in the machine's own memory first
        check_granted(huge, tmp_path, granted=4 * GB)


def test_enqueue_alone_checks_nothing(huge: RunSpec, settings: Settings) -> None:
    """A store may be filled on a machine that will not train."""
    assert enqueue(open_store(settings.store_url), huge)

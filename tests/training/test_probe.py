"""The probe: what it tries, what it keeps, and that a run does not learn otherwise for having been probed."""

import json
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deit_core.events import RunStarted, StepDone
from deit_core.models import build_model, read_card
from deit_core.models.teachers import load_teacher
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train
from deit_core.training.device import Plan, multiplies_bfloat16
from deit_core.training.probe import TOLERANCE, SilentTeacher, agree, choose_plan, try_plan
from deit_core.training.step import TrainStep

BFLOAT16 = Plan("bfloat16")


def make_step(spec: RunSpec) -> tuple[TrainStep, Tensor, Tensor]:
    torch.manual_seed(0)
    step = TrainStep(spec, build_model(spec), None, lambda x: x - 0.5, steps_per_epoch=10)
    return step, torch.rand(8, 1, 16, 16), torch.arange(8)


@pytest.fixture(autouse=True)
def _bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine counts as one that has it."""
    monkeypatch.setattr("deit_core.training.probe.multiplies_bfloat16", lambda device: True)


@pytest.fixture
def auto(tiny: RunSpec) -> RunSpec:
    return replace(tiny, {"compute.precision": "auto"})


@pytest.fixture
def teacher(tiny_trio: ExperimentSpec) -> RunSpec:
    """For an epoch on half of the images: bfloat16 is slow on many CPUs."""
    return replace(tiny_trio.runs[0], {"optim.epochs": 1, "data.fraction": 0.5})


class Trials:
    """Stands for `try_plan`: what each plan is made to say, the usual where nothing is written here."""

    def __init__(self) -> None:
        self.answers: dict[Plan, tuple[list[float], float]] = {}
        self.plans: list[Plan] = []  # in the order in which they were tried
        self.seconds: list[float] = []  # how long each was to be tried

    def __call__(
        self, step: TrainStep, plan: Plan, pixels: Tensor, labels: Tensor, trial_s: float
    ) -> tuple[list[float], float]:
        self.plans.append(plan)
        self.seconds.append(trial_s)
        return self.answers.get(plan, ([2.3, 2.2, 2.1], 1.0))


@pytest.fixture
def trials() -> Trials:
    return Trials()


def test_takes_the_fastest_and_remembers_it(auto: RunSpec, tmp_path: Path, trials: Trials) -> None:
    trials.answers[BFLOAT16] = ([2.3, 2.21, 2.09], 0.5)
    step, pixels, labels = make_step(auto)
    assert choose_plan(step, pixels, labels, tmp_path, 10, trial=trials) == BFLOAT16
    assert trials.plans == [Plan(), BFLOAT16]
    assert choose_plan(step, pixels, labels, tmp_path, 10, trial=trials) == BFLOAT16
    assert len(trials.plans) == 2  # nothing again
    other = replace(auto, {"model.depth": 1})
    choose_plan(*make_step(other), tmp_path, 10, trial=trials)
    assert len(trials.plans) == 4


def test_bfloat16_is_not_tried_where_a_processor_has_no_instructions_for_it(
    auto: RunSpec, tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deit_core.training.probe.multiplies_bfloat16", lambda device: False)
    choose_plan(*make_step(auto), tmp_path / "auto", 10, trial=trials)
    assert trials.plans == [Plan()]
    named = replace(auto, {"compute.precision": "bfloat16"})
    assert choose_plan(*make_step(named), tmp_path / "named", 10, trial=trials) == BFLOAT16


@pytest.mark.parametrize(
    ("device", "processor", "expected"),
    [
        ("cpu", {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, False),
        ("cpu", {"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, True),
        ("cpu", {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": True}, True),
        ("cpu", {"architecture": "arm64"}, True),
        ("cuda", {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, True),
    ],
)
def test_which_devices_have_bfloat16(
    device: str, processor: dict[str, object], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert multiplies_bfloat16(torch.device(device)) == expected


def test_a_long_run_takes_longer_to_choose(auto: RunSpec, tmp_path: Path, trials: Trials) -> None:
    """A share of it, each way alike: other work on the machine spoils a short trial."""
    trials.answers[Plan()] = ([2.3, 2.2, 2.1], 2.0)
    choose_plan(*make_step(auto), tmp_path, 500, trial=trials)
    assert trials.plans == [Plan(), Plan(), BFLOAT16]
    assert trials.seconds == [0.1, 1.0, 1.0]


def test_a_vit_and_its_deit_compute_alike(tiny_trio: ExperimentSpec, tmp_path: Path, trials: Trials) -> None:
    """Whatever noise decided for the one decides for the other, or their comparison would not be fair."""
    _, vit, deit = (replace(run, {"compute.precision": "auto"}) for run in tiny_trio.runs)
    trials.answers[BFLOAT16] = ([2.3, 2.2, 2.1], 0.5)
    assert choose_plan(*make_step(vit), tmp_path, 10, trial=trials) == BFLOAT16
    trials.answers[BFLOAT16] = ([2.3, 2.2, 2.1], 2.0)
    student = TrainStep(deit, build_model(deit), SilentTeacher(torch.arange(8), 10), lambda x: x - 0.5, 10)
    assert choose_plan(student, torch.rand(8, 1, 16, 16), torch.arange(8), tmp_path, 10, trial=trials) == BFLOAT16


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("num_steps", [10, 10_000])
def test_of_two_that_are_probed_at_once_the_second_follows_the_first(
    num_steps: int,
    has_links: bool,
    auto: RunSpec,
    tmp_path: Path,
    trials: Trials,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers begin a ViT and its DeiT together: neither finds a plan, and noise tells each another one."""

    def refuse(*_: Path) -> None:
        raise PermissionError

    if not has_links:
        monkeypatch.setattr("deit_core.files.os.link", refuse)
    trials.answers[BFLOAT16] = ([2.3, 2.2, 2.1], 0.5)
    first: list[Plan] = []

    def after_the_other(*args: Any) -> tuple[list[float], float]:
        if not first:
            first.append(choose_plan(*make_step(auto), tmp_path, num_steps, trial=trials))
            del trials.answers[BFLOAT16]
        return trials(*args)

    assert [choose_plan(*make_step(auto), tmp_path, num_steps, trial=after_the_other)] == first == [BFLOAT16]


def test_refuses_what_disagrees_and_what_is_hardly_faster(auto: RunSpec, tmp_path: Path, trials: Trials) -> None:
    for number, answer in enumerate([([2.3, 2.2, 2.2], 0.1), ([2.3, 2.2, float("nan")], 0.1), ([2.3, 2.2, 2.1], 0.95)]):
        trials.answers[BFLOAT16] = answer
        assert choose_plan(*make_step(auto), tmp_path / str(number), 10, trial=trials) == Plan()


def test_a_way_that_is_not_possible_here_is_passed_over(auto: RunSpec, tmp_path: Path) -> None:
    def impossible(step: TrainStep, plan: Plan, *args: Any) -> tuple[list[float], float]:
        if plan == BFLOAT16:
            raise RuntimeError("no such kernel")
        return try_plan(step, plan, *args)

    assert choose_plan(*make_step(auto), tmp_path, 10, trial=impossible) == Plan()


def test_a_spec_that_names_its_precision_gets_it(teacher: RunSpec, tmp_path: Path, trials: Trials) -> None:
    named = replace(teacher, {"compute.precision": "bfloat16"})
    assert choose_plan(*make_step(named), tmp_path, 10, trial=trials) == BFLOAT16
    assert trials.plans == [BFLOAT16, Plan("bfloat16", channels_last=False)]


def test_compiling_is_tried_where_training_takes_long(auto: RunSpec, tmp_path: Path, trials: Trials) -> None:
    """A plan that was found for a short run is found anew for a long one, and stays then."""
    choose_plan(*make_step(auto), tmp_path, 100, trial=trials)
    assert not any(plan.compiled for plan in trials.plans)
    compiled = Plan(compiled=True)
    trials.answers[compiled] = ([2.3, 2.2, 2.1], 0.5)
    assert choose_plan(*make_step(auto), tmp_path, 10_000, trial=trials) == compiled
    assert choose_plan(*make_step(auto), tmp_path, 100, trial=trials) == compiled


@pytest.mark.parametrize("family", ["vit", "cnn"])
def test_every_way_agrees_with_the_plain_one_to_the_tolerance_it_states(
    family: str, auto: RunSpec, teacher: RunSpec
) -> None:
    step, pixels, labels = make_step(auto if family == "vit" else teacher)
    expected, _ = try_plan(step, Plan(), pixels, labels, 0.0)
    for plan in (BFLOAT16, Plan(channels_last=False), Plan("bfloat16", channels_last=False)):
        losses, seconds = try_plan(step, plan, pixels, labels, 0.0)
        assert agree(losses, expected, TOLERANCE[plan.precision]), (plan, losses, expected)
        assert seconds > 0
    assert not agree([loss * 1.05 for loss in expected], expected, TOLERANCE["bfloat16"])


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the tracer's own
def test_a_compiled_run_agrees_too_and_draws_the_same_masks(auto: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as for a compiler; what it would generate takes half a minute, and a C++ compiler, to make."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    step, pixels, labels = make_step(auto)
    expected, _ = try_plan(step, Plan(), pixels, labels, 0.0)
    losses, _ = try_plan(step, Plan(compiled=True), pixels, labels, 0.0)
    assert losses == pytest.approx(expected, rel=1e-6)


def test_trials_leave_the_run_alone(auto: RunSpec, tmp_path: Path) -> None:
    step, pixels, labels = make_step(auto)
    before = deepcopy(step.model.state_dict())
    choose_plan(step, pixels, labels, tmp_path, 10)
    assert all(torch.equal(tensor, before[name]) for name, tensor in step.model.state_dict().items())
    assert not step.optimizer.state
    assert step.plan == Plan()


def test_a_run_says_how_it_computes_and_goes_on_so(
    teacher: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events, its state and its card know the plan; resumed, it keeps it whatever a probe would find now."""
    chosen = Plan("bfloat16", channels_last=False)
    monkeypatch.setattr("deit_core.training.session.choose_plan", lambda *args: chosen)
    whole = list(train(teacher, run_dir=tmp_path / "whole", group_s=0))
    assert isinstance(whole[0], RunStarted)
    assert whole[0].plan == "bfloat16, channels first, eager"
    events = train(teacher, run_dir=tmp_path / "stopped", group_s=0)
    for event in events:
        if isinstance(event, StepDone) and event.step == 5:
            break
    events.close()
    monkeypatch.setattr("deit_core.training.session.choose_plan", lambda *args: pytest.fail("probed again"))
    rest = list(train(teacher, run_dir=tmp_path / "stopped", group_s=0, resume=True))
    assert rest[0].plan == whole[0].plan  # type: ignore[union-attr]
    assert rest[-1].metrics == whole[-1].metrics  # type: ignore[union-attr]
    card = read_card(tmp_path / "whole")
    assert card.precision == "bfloat16"
    assert load_teacher(tmp_path / "whole", card.classes, teacher.data).precision == "bfloat16"


def test_a_state_older_than_plans_goes_on_as_its_spec_says(teacher: RunSpec, tmp_path: Path) -> None:
    named = replace(teacher, {"compute.precision": "bfloat16"})
    events = train(named, run_dir=tmp_path / "r", group_s=0)
    for event in events:
        if isinstance(event, StepDone):
            break
    events.close()
    state = torch.load(tmp_path / "r" / "state.pt", weights_only=True)
    del state["progress"]["plan"]
    torch.save(state, tmp_path / "r" / "state.pt")
    started = next(train(named, run_dir=tmp_path / "r", resume=True))
    assert isinstance(started, RunStarted)
    assert started.plan == "bfloat16, channels last, eager"


def test_what_was_found_is_kept_in_plain_words(auto: RunSpec, tmp_path: Path) -> None:
    chosen = choose_plan(*make_step(auto), tmp_path, 10)
    found = json.loads(next(tmp_path.glob("*.json")).read_bytes())
    assert Plan(**found["plan"]) == chosen
    assert set(found["seconds_per_step"]) <= {"float32, channels last, eager", "bfloat16, channels last, eager"}

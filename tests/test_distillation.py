"""The losses equal what is computed by hand, and the teacher stays as it is."""

import math

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from deit_core.distillation import (
    DistillationLoss,
    DistillationTeacher,
    DistillationTerms,
    HardDistillationLoss,
    Kind,
    LossTerms,
    SoftDistillationLoss,
    soft_distillation,
    standardize,
)


class Fixed(nn.Module):
    """A teacher that always says the same, with a weight that would get a gradient if it could."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), -1)


CLASS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
DISTILLATION = torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]])
TEACHER = torch.tensor([[0.0, 4.0, 1.0]])
LABELS = torch.tensor([0, 2])
INPUTS = torch.zeros(2, 1, 4, 4)


def log_softmax(row: list[float], tau: float = 1.0) -> list[float]:
    total = math.log(sum(math.exp(value / tau) for value in row))
    return [value / tau - total for value in row]


def number(scalar: torch.Tensor | None) -> float:
    assert scalar is not None
    return scalar.item()


def cross_entropy(rows: torch.Tensor, labels: list[int]) -> float:
    return -sum(log_softmax(row)[label] for row, label in zip(rows.tolist(), labels, strict=True)) / len(labels)


def test_hard_is_half_labels_and_half_the_teachers_decision() -> None:
    loss = HardDistillationLoss(Fixed(TEACHER))(INPUTS, (CLASS, DISTILLATION), LABELS)
    assert loss.item() == pytest.approx(
        0.5 * cross_entropy(CLASS, [0, 2]) + 0.5 * cross_entropy(DISTILLATION, [1, 1]), abs=1e-6
    )


@pytest.mark.parametrize(("reduction", "count"), [("batchmean", 2), ("numel", 6)])
@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_soft_by_hand(reduction: str, count: int, tau: float) -> None:
    teacher = log_softmax(TEACHER[0].tolist(), tau)
    divergence = 0.0
    for row in DISTILLATION.tolist():
        student = log_softmax(row, tau)
        divergence += sum(math.exp(t) * (t - s) for t, s in zip(teacher, student, strict=True))
    by_hand = 0.3 * divergence * tau**2 / count + 0.7 * cross_entropy(CLASS, [0, 2])
    loss = SoftDistillationLoss(Fixed(TEACHER), alpha=0.3, tau=tau, reduction=reduction)
    assert loss(INPUTS, (CLASS, DISTILLATION), LABELS).item() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_soft_is_the_formula_of_the_original_code_and_that_of_hinton(tau: float) -> None:
    """The original divides by `outputs_kd.numel()`; torch's own batchmean is Hinton's mean over images."""
    log_student = functional.log_softmax(DISTILLATION / tau, dim=1)
    log_teacher = functional.log_softmax(TEACHER.expand(2, -1) / tau, dim=1)
    summed = functional.kl_div(log_student, log_teacher, reduction="sum", log_target=True)
    original = summed * (tau * tau) / DISTILLATION.numel()
    hinton = functional.kl_div(log_student, log_teacher.exp(), reduction="batchmean") * tau**2
    teacher = TEACHER.expand(2, -1)
    torch.testing.assert_close(soft_distillation(DISTILLATION, teacher, tau, "numel"), original)
    torch.testing.assert_close(soft_distillation(DISTILLATION, teacher, tau), hinton)


def test_none_is_the_base_criterion_and_takes_one_output() -> None:
    loss = DistillationLoss(nn.CrossEntropyLoss(), None, "none")
    assert loss(INPUTS, CLASS, LABELS).item() == pytest.approx(cross_entropy(CLASS, [0, 2]), abs=1e-6)
    assert loss(INPUTS, (CLASS, DISTILLATION), LABELS) == loss(INPUTS, CLASS, LABELS)


def test_temperature_table() -> None:
    """The distributions of [30, 5, 2, 2] that the note on the paper prints."""
    logits = torch.tensor([30.0, 5.0, 2.0, 2.0], dtype=torch.float64)
    assert (logits / 10).softmax(0).tolist() == pytest.approx([0.8308, 0.0682, 0.0505, 0.0505], abs=5e-5)
    assert logits.softmax(0).tolist() == pytest.approx([1.0, 1.3888e-11, 6.9144e-13, 6.9144e-13], rel=1e-4)


def test_soft_gradient_does_not_shrink_with_temperature() -> None:
    """Hinton et al., section 2: with tau^2 the gradient tends to (student - teacher) / K for large tau, centred."""
    student = (DISTILLATION - DISTILLATION.mean(-1, keepdim=True)).requires_grad_()
    teacher = (TEACHER - TEACHER.mean()).expand(2, -1)
    soft_distillation(student, teacher, tau=1000.0).backward()
    torch.testing.assert_close(student.grad, (student.detach() - teacher) / 3 / 2, atol=1e-2, rtol=1e-2)


def test_identical_logits_cost_nothing() -> None:
    assert soft_distillation(DISTILLATION, DISTILLATION, 2.0).item() == pytest.approx(0.0, abs=1e-6)


def test_the_teacher_gets_no_gradient_and_no_training_mode() -> None:
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 3))
    teacher = DistillationTeacher(net, mean=(0.5,), std=(0.25,), img_size=4)
    loss = HardDistillationLoss(teacher)
    loss.train()
    nn.ModuleList([teacher]).train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = DISTILLATION.clone().requires_grad_()
    loss(torch.rand(2, 1, 4, 4), (student * 2, student), LABELS).backward()
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert not net.training
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not list(loss.parameters())
    assert not loss.state_dict()


def test_the_teacher_adapts_what_it_sees() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x.mean((2, 3))

    teacher = DistillationTeacher(Spy(), mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.1), img_size=8)
    teacher(torch.full((2, 1, 4, 4), 0.5))
    assert seen[0].shape == (2, 3, 8, 8)
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor([0.0, 0.5, 2.0]))


def test_a_grey_teacher_sees_the_luma_of_colours() -> None:
    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    teacher = DistillationTeacher(Spy(), mean=(0.0,), std=(1.0,), img_size=2)
    primaries = torch.eye(3).view(3, 3, 1, 1).expand(-1, -1, 2, 2)
    by_pillow = [Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) for colour in ("#f00", "#0f0", "#00f")]
    assert [round(255 * value) for value in teacher(primaries)[:, 0].tolist()] == by_pillow


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "warm"}, "choose none, soft or hard"),
        ({"reduction": "mean"}, "choose batchmean or numel"),
        ({"teacher": None}, "needs a teacher"),
        ({"alpha": 1.5}, "between 0 and 1"),
        ({"tau": 0.0}, "above 0"),
    ],
)
def test_wrong_options_are_one_sentence(options: dict, words: str) -> None:
    arguments = {"teacher": Fixed(TEACHER), "kind": "soft", **options}
    with pytest.raises(ValueError, match=words):
        DistillationLoss(nn.CrossEntropyLoss(), **arguments)


def test_one_output_learns_from_labels_and_teacher_both() -> None:
    """Distillation without token: both terms on the output of a plain ViT."""
    hard = HardDistillationLoss(Fixed(TEACHER))(INPUTS, CLASS, LABELS)
    assert hard.item() == pytest.approx(
        0.5 * cross_entropy(CLASS, [0, 2]) + 0.5 * cross_entropy(CLASS, [1, 1]), abs=1e-6
    )
    for loss in (HardDistillationLoss(Fixed(TEACHER)), SoftDistillationLoss(Fixed(TEACHER), alpha=0.3, tau=2.0)):
        torch.testing.assert_close(loss(INPUTS, CLASS, LABELS), loss(INPUTS, (CLASS, CLASS), LABELS))


def test_standardised_logits_by_hand() -> None:
    ours = standardize(torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]]))
    deviation = math.sqrt(((1 - 3) ** 2 + (2 - 3) ** 2 + (6 - 3) ** 2) / 3)
    expected = [[-2 / deviation, -1 / deviation, 3 / deviation], [0.0, 0.0, 0.0]]
    torch.testing.assert_close(ours, torch.tensor(expected))


def test_one_class_cannot_be_standardised() -> None:
    with pytest.raises(ValueError, match="at least two classes"):
        standardize(torch.zeros(4, 1))


def test_standardised_distillation_ignores_shift_and_scale() -> None:
    terms = DistillationTerms(nn.CrossEntropyLoss(), "soft", 0.5, 2.0, standardized=True)
    teacher = TEACHER.expand(2, -1)
    expected = number(terms((CLASS, DISTILLATION), LABELS, teacher).distillation)
    for other in (teacher + 5, teacher * 3, teacher * 0.1 - 7):
        assert number(terms((CLASS, DISTILLATION), LABELS, other).distillation) == pytest.approx(expected, rel=1e-4)
    by_hand = soft_distillation(standardize(DISTILLATION), standardize(teacher), 2.0)
    assert expected == pytest.approx(number(by_hand))


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_image_without_a_label_learns_from_the_teacher_with_both_heads(kind: Kind, smoothing: float) -> None:
    terms = DistillationTerms(nn.CrossEntropyLoss(label_smoothing=smoothing), kind, 0.9, 3.0)
    teacher = TEACHER.expand(2, -1)

    def alone(image: int, label: int) -> LossTerms:
        one = slice(image, image + 1)
        return terms((CLASS[one], DISTILLATION[one]), torch.tensor([label]), teacher[one])

    labelled, unlabelled = alone(0, 0), number(alone(1, 2).distillation)
    of_class = number(terms((DISTILLATION[1:], CLASS[1:]), torch.tensor([2]), teacher[1:]).distillation)
    found = terms((CLASS, DISTILLATION), torch.tensor([0, -1]), teacher, is_labelled=torch.tensor([True, False]))
    assert number(found.total) == pytest.approx((number(labelled.total) + (of_class + unlabelled) / 2) / 2)
    assert number(found.base) == pytest.approx(number(labelled.base))
    assert number(found.distillation) == pytest.approx((number(labelled.distillation) + unlabelled) / 2)


def test_a_batch_without_labels_has_a_base_loss_of_zero() -> None:
    terms = DistillationTerms(nn.CrossEntropyLoss(), "soft", 0.9, 3.0)
    nothing = torch.zeros(2).bool()
    found = terms((CLASS, DISTILLATION), torch.tensor([-1, -1]), TEACHER.expand(2, -1), is_labelled=nothing)
    assert found.base == 0
    assert found.total.isfinite()


def test_with_alpha_one_both_heads_learn_from_the_teacher() -> None:
    terms, teacher = DistillationTerms(nn.CrossEntropyLoss(), "soft", 1.0, 3.0), TEACHER.expand(2, -1)
    by_class, by_token = (number(soft_distillation(head, teacher, 3.0)) for head in (CLASS, DISTILLATION))
    found = terms((CLASS, DISTILLATION), LABELS, teacher)
    assert number(found.total) == pytest.approx((by_class + by_token) / 2)
    assert number(found.base) == pytest.approx(cross_entropy(CLASS, [0, 2]), abs=1e-6)  # measured all the same
    assert number(terms(CLASS, LABELS, teacher).total) == pytest.approx(by_class)


def test_labels_that_are_not_used_are_only_measured() -> None:
    terms, teacher = DistillationTerms(nn.CrossEntropyLoss(), "soft", 0.5, 3.0), TEACHER.expand(2, -1)
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.4, 0.6]])
    found = terms((CLASS, DISTILLATION), shares, teacher, uses_labels=False)
    by_class, by_token = (number(soft_distillation(head, teacher, 3.0)) for head in (CLASS, DISTILLATION))
    assert number(found.total) == pytest.approx((by_class + by_token) / 2)
    assert number(found.base) == pytest.approx(number(functional.cross_entropy(CLASS, shares)))

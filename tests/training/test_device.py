"""Which device a run computes on."""

import pytest
import torch

from deit_core.errors import SpecError
from deit_core.spec import ComputeSpec
from deit_core.training import choose_device


@pytest.mark.parametrize(
    ("asked", "given", "device"),
    [("auto", "cuda:1", "cuda:1"), ("cuda", "cuda:1", "cuda:1"), ("cpu", "cuda:1", "cpu"), ("cpu", None, "cpu")],
)
def test_a_worker_of_several_gpus_keeps_to_its_own(asked: str, given: str | None, device: str) -> None:
    spec = ComputeSpec.model_validate({"device": asked})
    assert choose_device(spec, given) == torch.device(device)


def test_a_device_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SpecError, match=r"no cuda device; set compute\.device to auto"):
        choose_device(ComputeSpec(device="cuda"))

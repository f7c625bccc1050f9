"""A model to explain that no initialisation has left even, with and without a distillation token, and its images."""

import pytest
from torch import Tensor
from uneven_vit import noise, vit

from deit_core.models import VisionTransformer


@pytest.fixture(params=[False, True], ids=["plain", "distilled"])
def model(request: pytest.FixtureRequest) -> VisionTransformer:
    return vit(distilled=request.param)


@pytest.fixture
def images() -> Tensor:
    return noise(3, 2, 12, 20)

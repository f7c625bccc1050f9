"""The published shapes: their parameters are those that the papers and timm count."""

import pytest

from deit_core.errors import SpecError
from deit_core.models import VisionTransformer
from deit_core.presets.variants import VARIANTS, vit_variant


@pytest.mark.parametrize(
    ("name", "distilled", "num_params", "paper"),
    [  # timm's vit_*_patch16 and deit_*_distilled_patch16 with 1000 classes; and the paper's table 1, in millions
        ("deit-tiny", False, 5_717_416, 5.7),
        ("deit-tiny", True, 5_910_800, 5.9),
        ("deit-small", False, 22_050_664, 22),
        ("deit-small", True, 22_436_432, 22),
        ("deit-base", False, 86_567_656, 86.6),
        ("deit-base", True, 87_338_192, 87),
        ("tutorial-deit-base", True, 87_338_192, 87),
        ("deit-tiny-384", True, 5_910_800 + (24**2 - 14**2) * 192, 6),
    ],
)
def test_the_number_of_parameters_is_the_published(name: str, distilled: bool, num_params: int, paper: float) -> None:
    spec = vit_variant(name, distilled=distilled)
    model = VisionTransformer(img_size=VARIANTS[name].img_size, **spec.model_dump(exclude={"family"}))
    assert sum(parameter.numel() for parameter in model.parameters()) == num_params
    assert num_params / 1e6 == pytest.approx(paper, rel=0.025)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_shape_can_be_trained(name: str) -> None:
    shape, spec = VARIANTS[name], vit_variant(name)
    assert shape.img_size % spec.patch_size == 0
    assert spec.embed_dim % spec.num_heads == 0
    assert shape.source


def test_an_unknown_shape_lists_the_known() -> None:
    with pytest.raises(SpecError, match="choose deit-tiny, deit-small"):
        vit_variant("deit-huge")

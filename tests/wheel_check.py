"""What an installed wheel must do without Streamlit, in an environment of its own: `.ci/wheel` runs it there.

python -I tests/wheel_check.py FOLDER    FOLDER: of a DeiT as timm's save_for_hf writes it, for images of three channels
"""

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

start = time.perf_counter()
import deit_core  # noqa: E402

print(f"import {1000 * (time.perf_counter() - start):.1f} ms, from {deit_core.__file__}")
assert not Path(deit_core.__file__).is_relative_to(Path(__file__).parents[1]), "this is the checkout"
assert not [name for name in ("streamlit", "plotly", "pandas", "timm") if find_spec(name)]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from deit_core import from_pretrained, overlay, save_pretrained  # noqa: E402

start = time.perf_counter()
viewer = from_pretrained(sys.argv[1])
print(f"load {time.perf_counter() - start:.2f} s: {viewer.card.img_size} px, {len(viewer.card.classes)} classes")
size = viewer.card.img_size
images = np.random.default_rng(0).integers(0, 256, (1, 3, size, size), dtype=np.uint8)
result = viewer.rollout(images)
picture = overlay(images[0].transpose(1, 2, 0), result.map[0], size=(256, 256))
assert picture.shape == (256, 256, 3)
assert "<figure" in result._repr_html_()
with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    save_pretrained(viewer, folder)
    print(f"save {time.perf_counter() - start:.2f} s: {sorted(file.name for file in Path(folder).iterdir())}")
    again = from_pretrained(folder)
np.testing.assert_array_equal(again.predict(images), viewer.predict(images))
assert torch.equal(again.rollout(images).weights, result.weights)
assert again.card.classes == viewer.card.classes
print("loaded again: equal to the last bit")

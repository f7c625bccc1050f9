"""The Attention page, driven without a browser, over untrained models saved as runs save theirs."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import images, state
from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.data import inputs, sources
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, Store, enqueue, run_folder
from deit_core.spec import AnySpec, RunSpec, replace

RunPage = Callable[..., AppTest]


def save_checkpoints(store: Store, run_id: str) -> None:
    """What two epochs of training leave behind."""
    spec = store.run(run_id).spec
    torch.manual_seed(len(spec.name))
    folder = run_folder(state.settings().runs_dir, run_id)
    card = ModelCard(
        spec=spec,
        classes=SOURCES[spec.data.source].classes,
        in_chans=1,
        mean=(0.3,),
        std=(0.3,),
        data_hash="",
        epoch=2,
        step=20,
        metrics={"val_accuracy": 0.875},
    )
    for name in ("best", "last", "epochs/0001", "epochs/0002"):
        save_weights(folder / f"{name}.safetensors", build_model(spec), card)


def submit(store: Store, spec: AnySpec) -> list[str]:
    return enqueue(store, spec)


@pytest.fixture
def looked(trio: dict[str, str], store: Store) -> dict[str, str]:
    """The trio of digits-quick, each with its checkpoints: name -> id."""
    for run_id in trio.values():
        save_checkpoints(store, run_id)
    return trio


def pictures(page: AppTest) -> list[str]:
    """Addresses of the pictures, which tell their content: of each side map, overlay and input."""
    assert not page.exception
    return [address for element in page.image for address in element.value]


def png(*size: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_says_what_to_do_before_the_first_run(run_page: RunPage) -> None:
    page = run_page("attention")
    assert "Train digits-quick first" in page.info[0].value
    assert page.page_link[0].value == "Train digits-quick"


def test_says_what_to_do_when_only_cnns_are_there(run_page: RunPage, store: Store) -> None:
    submit(store, presets.get("digits-quick").runs[0])
    assert "a CNN has no attention" in run_page("attention").info[0].value


def test_says_to_wait_for_the_first_epoch(run_page: RunPage, store: Store) -> None:
    submit(store, presets.get("digits-quick"))
    page = run_page("attention")
    assert "first epoch" in page.info[0].value
    assert page.page_link[0].value == "See how far the runs are"


def test_a_vit_stands_beside_its_deit(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    (other,) = submit(store, presets.get("smoke"))
    store.set_status(other, Status.RUNNING)
    store.set_status(other, Status.COMPLETED)
    save_checkpoints(store, other)
    page = run_page("attention")
    assert (page.selectbox(key="att_left").value, page.selectbox(key="att_right").value) == (
        looked["vit"],
        looked["deit"],
    )
    assert looked["teacher"] not in " ".join(page.selectbox(key="att_left").options)
    assert len(pictures(page)) == 6
    assert all(address.endswith(".png") for address in pictures(page))  # JPEG would blur the patches
    assert len(page.progress) == 6
    shown = " ".join(element.value for element in page.caption)
    assert "Class head" in shown
    assert "Distillation head" in shown
    assert "Weights of epoch 2, 87.5% right on validation." in shown
    assert [bar.value.count("no preference") for bar in page.html] == [1, 1]


def test_a_slider_move_changes_maps_and_looks_at_nothing_again(
    run_page: RunPage, looked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page("attention")
    before = pictures(page)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr(inputs, "fit_image", refuse)
    for key, value in (
        ("att_discard", 0.9),
        ("att_layers", (2, 3)),
        ("att_opacity", 0.1),
        ("att_residual", 0.1),
    ):
        page.slider(key=key).set_value(value).run()
        after = pictures(page)
        assert after[2::3] == before[2::3], "what the model saw stays"
        assert after[1] != before[1], key
        before = after
    for key, value in (("att_heads", "max"), ("att_scope", "row"), ("att_norm", "attention")):
        page.segmented_control(key=key).set_value(value).run()
        assert pictures(page)[1] != before[1], key
        before = pictures(page)
    for key, value in (("att_shared", False), ("att_smooth", True)):
        page.toggle(key=key).set_value(value).run()
        assert pictures(page)[0] != before[0], key
        before = pictures(page)
    page.selectbox(key="att_colours").set_value("cividis").run()
    assert "rgb(0, 34, 78)" in page.html[0].value


def test_another_epoch_is_another_model(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    before = pictures(page)
    assert page.selectbox(key="att_left_weights").options == ["Best epoch", "Last epoch", "Epoch 1", "Epoch 2"]
    page.selectbox(key="att_left_weights").set_value("Epoch 1").run()
    assert pictures(page)[0] != before[0]


def test_nothing_beside_leaves_one_side(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_right="Nothing")
    assert len(pictures(page)) == 3


def test_the_distillation_token_is_asked_of_a_deit_only(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_query="Distillation token")
    assert "A plain ViT has no distillation token" in page.info[0].value
    assert len(pictures(page)) == 4  # the ViT still shows what it saw
    page.selectbox(key="att_right").set_value("").run()
    assert "distillation" not in page.selectbox(key="att_query").options


def test_a_patch_can_be_queried(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    before = pictures(page)
    assert len(before) == 6
    page.selectbox(key="att_query").set_value("patch").run()
    page.number_input(key="att_row").set_value(8).run()
    page.number_input(key="att_column").set_value(1).run()
    after = pictures(page)
    assert all(old != new for old, new in zip(before, after, strict=True))  # the input shows which one


def test_an_empty_map_says_why(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_discard="0.99", att_layers=["2", "2"], att_query="Class token")
    assert "Lower the discard ratio" in page.warning[0].value
    page.segmented_control(key="att_scope").set_value("row").run()
    assert not page.warning


def test_the_address_restores_the_view(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_discard="0.9", att_heads="max", att_class="7", att_image="3", att_shared="false")
    assert page.slider(key="att_discard").value == 0.9
    assert page.segmented_control(key="att_heads").value == "max"
    assert page.selectbox(key="att_class").value == "7"
    assert page.number_input(key="att_image").value == 3
    assert pictures(page) != pictures(run_page("attention"))


def test_a_damaged_checkpoint_leaves_the_other_side(run_page: RunPage, looked: dict[str, str]) -> None:
    file = run_folder(state.settings().runs_dir, looked["vit"]) / "best.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    page = run_page("attention")
    assert "is damaged" in page.error[0].value
    assert len(pictures(page)) == 3


def test_an_epoch_that_is_gone_gives_way_to_the_best(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_left_weights="Epoch 1")
    (run_folder(state.settings().runs_dir, looked["vit"]) / "epochs" / "0001.safetensors").unlink()
    page.run()
    assert len(pictures(page)) == 6
    assert page.selectbox(key="att_left_weights").value == "Best epoch"


def test_an_upload_is_shown_to_both(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_picture="Upload")
    assert "Upload a picture" in page.info[0].value
    page.file_uploader[0].upload("shoe.png", png(90, 120)).run()
    shown = pictures(page)
    assert len(shown) == 6
    assert all("right" not in text.value for text in page.markdown if text.value.startswith("Predicts"))
    page.toggle(key="att_invert").set_value(True).run()
    assert pictures(page)[2] != shown[2]


def test_an_upload_that_is_no_image_says_so(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_picture="Upload")
    page.file_uploader[0].upload("shoe.png", b"these are words").run()
    assert "no image that can be read" in page.error[0].value
    assert not pictures(page)


def test_a_data_set_that_is_not_here_says_where_to_get_it(
    run_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "find_fashion_mnist", lambda _: None)
    (run_id,) = submit(store, presets.get("fashion-classroom").runs[1])
    save_checkpoints(store, run_id)
    page = run_page("attention")
    assert "Fashion-MNIST is not on this machine" in page.error[0].value
    assert page.page_link[0].value == "Get Fashion-MNIST"


def test_one_layer_needs_no_choice_of_layers(run_page: RunPage, store: Store) -> None:
    spec = replace(presets.get("smoke"), {"model.depth": 1, "name": "<b>*one*</b>"})
    assert isinstance(spec, RunSpec)
    (run_id,) = submit(store, spec)
    save_checkpoints(store, run_id)
    page = run_page("attention")
    assert len(pictures(page)) == 3
    assert "att_layers" not in {slider.key for slider in page.slider}


def test_models_of_other_shapes_stand_side_by_side(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    (small,) = submit(store, presets.get("smoke"))  # two layers and 4 x 4 patches, beside three and 8 x 8
    save_checkpoints(store, small)
    label = f"{store.run(small).number} smoke"
    page = run_page("attention", att_right=label, att_query="Patch", att_row="8", att_column="8")
    assert len(pictures(page)) == 6
    page.slider(key="att_layers").set_value((3, 3)).run()
    assert "This model has 2 layers" in page.info[0].value
    assert len(pictures(page)) == 4


def test_a_map_keeps_its_place_and_its_patches_stay_sharp() -> None:
    values = np.zeros((3, 5), np.float32)
    values[2, 1] = 1
    style = images.Style(vmax=15, cmap="grey", smooth=False)
    picture = np.asarray(Image.open(io.BytesIO(images.map_png(values, style))))[..., 0]
    height, width = picture.shape[0] // 3, picture.shape[1] // 5
    assert min(picture.shape) >= images.SIDE
    assert (picture[2 * height :, width : 2 * width] == 255).all()
    assert picture.astype(int).sum() == 255 * height * width


def test_the_mark_of_the_scale_stands_at_one() -> None:
    assert "left:25.0%" in images.colour_bar(images.Style(vmax=4, cmap="inferno", smooth=False))
    assert "left" not in images.colour_bar(images.Style(vmax=0.5, cmap="grey", smooth=True))


def test_torch_is_not_loaded_before_a_model_is(tmp_path: Path) -> None:
    code = (
        "from dashboard.views import attention\nfrom streamlit.testing.v1 import AppTest\nimport sys\n"
        "page = AppTest.from_string('from dashboard.navigation import pages\\nimport streamlit as st\\n"
        'st.navigation(pages(), position="hidden")\\nfrom dashboard.views import attention\\nattention.render()\')\n'
        "assert page.run().info, page.exception\nassert 'torch' not in sys.modules"
    )
    environment = {"PATH": "/usr/bin:/bin", "DEIT_RUNS_DIR": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], env=environment, timeout=60)

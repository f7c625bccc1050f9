"""The options of the Attention page: each changes the maps, looks at no model again, and stands in the address."""

import pytest
from attention_tables import TEACHER, RunPage, pictures, table
from shown_models import save_checkpoints
from streamlit.testing.v1 import AppTest

from dashboard.fields import label_of
from dashboard.pictures import images
from deit_core import presets
from deit_core.attention import Viewer
from deit_core.catalog import METHODS
from deit_core.runs import Store, enqueue
from deit_core.spec import RolloutSpec, bounds, replace


def test_a_slider_move_changes_maps_and_looks_at_nothing_again(
    run_page: RunPage, looked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page("attention")
    before = pictures(page)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr(Viewer, "look", refuse)
    for key, value in (
        ("att_discard", 0.9),
        ("att_layers", (2, 3)),
        ("att_opacity", 0.1),
        ("att_residual", 0.1),
    ):
        page.slider(key=key).set_value(value).run()
        after = pictures(page)
        assert after[0] == before[0], "what the model saw stays"
        assert after[1] != before[1], key
        before = after
    page.selectbox(key="att_heads").set_value("max").run()
    assert pictures(page)[1] != before[1]
    before = pictures(page)
    for key, value in (("att_scope", "row"), ("att_norm", "attention")):
        page.segmented_control(key=key).set_value(value).run()
        assert pictures(page)[1] != before[1], key
        before = pictures(page)
    for key in ("att_compat", "att_shared", "att_smooth"):
        toggle = page.toggle(key=key)
        toggle.set_value(not toggle.value).run()
        assert pictures(page)[1] != before[1], key
        before = pictures(page)
    page.toggle(key="att_shared").set_value(True).run()
    page.selectbox(key="att_colours").set_value("cividis").run()
    assert "rgb(0, 34, 78)" in page.html[0].value


def test_one_head_can_be_followed(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    shown = {pictures(page)[1]}
    for head in ("head 1", "head 2"):
        page.selectbox(key="att_heads").set_value(head).run()
        shown.add(pictures(page)[1])
    assert len(shown) == 3


def test_the_page_offers_the_methods_of_the_list(run_page: RunPage, looked: dict[str, str]) -> None:
    titles = [facts.title for facts in METHODS.values() if facts.family == "vit"]
    assert run_page("attention").selectbox(key="att_method").options == titles


@pytest.mark.parametrize("method", ["Last-layer attention", "Gradient rollout", "Attention relevance"])
def test_every_method_of_the_list_draws_its_own_map(run_page: RunPage, looked: dict[str, str], method: str) -> None:
    rolled = run_page("attention")
    page = run_page("attention", att_method=method)
    assert all(new != old for new, old in zip(pictures(page)[1:5], pictures(rolled)[1:5], strict=True))
    assert "att_discard" not in {slider.key for slider in page.slider}


def test_another_class_moves_what_is_class_specific_and_no_rollout(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_method="Attention relevance", att_target="3")
    before = pictures(page)
    page.selectbox(key="att_target").set_value("7").run()
    after = pictures(page)
    assert all(new != old for new, old in zip(after[1:], before[1:], strict=True))
    rolled = run_page("attention")
    assert "att_target" not in {box.key for box in rolled.selectbox}


def test_a_patch_can_be_queried(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    page.segmented_control(key="att_query").set_value("Patch").run()
    assert table(page)["columns"] == ["Picture", "ViT", "DeiT", TEACHER]
    before = pictures(page)
    page.number_input(key="att_row").set_value(8).run()
    page.number_input(key="att_column").set_value(1).run()
    after = table(page)["rows"][0]
    assert after[0]["outlined"] == [7, 0]
    assert all(new["src"] != old for new, old in zip(after[1:3], before[1:3], strict=True))


def test_a_click_makes_a_patch_the_query(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    assert table(page)["pick"] == "patch"
    page.session_state["att_query"], page.session_state["att_row"], page.session_state["att_column"] = "Patch", 3, 5
    page.run()
    assert table(page)["rows"][0][0]["outlined"] == [2, 4]


def test_an_empty_map_says_why(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_discard="0.99", att_layers=["2", "2"])
    assert "Leave out fewer weak links" in page.warning[0].value
    assert any("stays in the distillation token" in caption.value for caption in page.caption)
    page.segmented_control(key="att_scope").set_value("row").run()
    assert not page.warning
    page.slider(key="att_residual").set_value(1.0).run()
    assert "lower the residual" in page.warning[0].value
    assert "discard" not in page.warning[0].value


def test_layers_in_the_address_may_stand_in_any_order(run_page: RunPage, looked: dict[str, str]) -> None:
    assert pictures(run_page("attention", att_layers=["3", "2"])) == pictures(
        run_page("attention", att_layers=["2", "3"])
    )


def test_one_layer_needs_no_choice_of_layers(run_page: RunPage, store: Store) -> None:
    spec = replace(presets.get("smoke"), {"model.depth": 1, "name": "<b>*one*</b>"})
    (run_id,) = enqueue(store, spec)
    save_checkpoints(store, run_id)
    page = run_page("attention", att_closer="Depth")
    assert len(pictures(page)) == 2
    assert not {"att_layers", "att_passed"} & {slider.key for slider in page.slider}


def test_the_address_restores_the_view(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page(
        "attention", att_discard="0.9", att_heads="head 2", att_class="7", att_image="3", att_closer="Heads"
    )
    assert page.slider(key="att_discard").value == 0.9
    assert page.selectbox(key="att_heads").value == "head 2"
    assert page.selectbox(key="att_class").value == "7"
    assert page.number_input(key="att_image").value == 3
    assert table(page, "att_head_grid")
    assert pictures(page) != pictures(run_page("attention"))


def test_the_end_of_the_scale_can_be_set(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_vmax="2.5")
    assert page.number_input(key="att_vmax").value == 2.5
    assert "≥ 2.5" in page.html[0].value
    page.toggle(key="att_shared").set_value(False).run()
    assert page.number_input(key="att_vmax").disabled
    assert not page.exception


def test_the_mark_of_the_scale_stands_at_one() -> None:
    assert "left:25.0%" in images.colour_bar("inferno", 4, "Attention")
    assert "left" not in images.colour_bar("grey", 0.5, "Attention").replace("to right", "")
    assert "left:50.0%" in images.colour_bar("coolwarm", 0.5, "Difference")


def words_of(page: AppTest) -> dict[str, str]:
    """The help of every widget of the panel by its label."""
    kinds = ("selectbox", "slider", "toggle", "number_input", "segmented_control")
    widgets = [widget for kind in kinds for widget in getattr(page, kind)]
    return {widget.label: widget.proto.help for widget in widgets}


def test_the_panel_has_every_field_of_a_rollout_in_its_own_words(run_page: RunPage, looked: dict[str, str]) -> None:
    words = words_of(run_page("attention", att_query="Patch"))
    words |= words_of(run_page("attention", att_method="Gradient rollout"))
    for name, info in RolloutSpec.model_fields.items():
        help = words[label_of(name, info)]
        assert str(info.description) in help
        assert bounds(info) in help

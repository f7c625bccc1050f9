"""The address of every page with random settings."""

import pytest
from bounds import bounded, check_sentence, fuzz, long_texts, texts
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboard.navigation import paths
from deit_core.runs import Store

_SCRIPT = """
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show("{name}")
"""
_KEYS = {
    "train": ["preset", "set"],
    "runs": ["runs", "run_search", "run_status", "run_experiment", "curve_axis", "curve_smoothing", "curve_log"],
    "compare": ["compare", "compare_experiment", "curve_charts", "curve_axis", "curve_smoothing"],
    "attention": [
        "att_left", "att_right", "att_picture", "att_image", "att_count", "att_class", "att_method", "att_heads",
        "att_layers", "att_discard", "att_invert", "att_closer", "att_of", "att_at",
    ],
    "data": ["data", "path", "colour", "skip", "fraction", "val_fraction", "view_image", "view_padding", "view_seed"],
    "predict": ["predict_models", "predict_picture", "predict_class", "predict_image", "predict_invert"],
    "home": ["preset", "set"],
    "lab": ["lab_source", "lab_image", "lab_teacher", "lab_student", "lab_tau", "lab_alpha", "lab_kind"],
    "learn": ["learn"],
    "system": ["system"],
}  # fmt: skip
_USUAL = [
    "1",
    "2",
    "0",
    "-1",
    "1e9",
    "smoke",
    "digits-quick",
    "Digits",
    "Folder of images",
    "optim.lr=9",
    "true",
    "1,2",
]
_TEXTS = st.lists(texts.filter(lambda text: "\ud800" not in text) | long_texts | st.sampled_from(_USUAL), max_size=2)


def test_every_page_has_keys() -> None:
    assert set(_KEYS) == {path or "home" for path in paths()}


@pytest.mark.parametrize("key", ["", "$$ID-0-None"])
def test_a_key_that_no_widget_can_have_is_passed_over(key: str, store: Store) -> None:
    page = AppTest.from_string(_SCRIPT.format(name="learn"), default_timeout=600)
    page.query_params[key] = "inf"
    page.run()
    assert not page.exception


@pytest.mark.parametrize("name", sorted(_KEYS))
def test_a_page_is_drawn_whatever_its_address_asks_for(name: str, store: Store) -> None:
    @fuzz(2)
    @given(settings=st.dictionaries(st.sampled_from(_KEYS[name]) | st.text(max_size=9), _TEXTS, min_size=1, max_size=5))
    def draw(settings: dict[str, list[str]]) -> None:
        page = AppTest.from_string(_SCRIPT.format(name=name), default_timeout=600)
        for key, asked in settings.items():
            page.query_params[key] = asked
        with bounded():
            page.run()
        assert not page.exception, page.exception
        for element in (*page.error, *page.info, *page.warning):
            check_sentence(element.value)

    draw()

"""How long it will take, as the Train page says it: before the start, measured once, and not while runs train."""

from train_pages import FakeEstimates, RunPage, sound, words

from deit_core.runs.estimates import Estimate


def test_the_estimate_stands_before_the_start(train_page: RunPage) -> None:
    assert "About **1 min 20 s** on this machine: teacher 10 s, vit 25 s, deit 45 s." in words(train_page())


def test_the_estimate_is_measured_once_where_it_is_unknown(train_page: RunPage, estimates: type[FakeEstimates]) -> None:
    estimates.found = None
    page = train_page()
    assert "Measuring how long this takes" in words(page)
    estimates.found = Estimate(3.0, {"smoke": 3.0})
    assert "About **3 s**" in words(sound(page.run()))


def test_a_measuring_that_dies_is_not_begun_for_ever(train_page: RunPage, estimates: type[FakeEstimates]) -> None:
    estimates.found, estimates.dies = None, True
    page = train_page()
    assert "the measuring failed" in words(sound(page.run()))


def test_what_is_started_breaks_off_the_measuring_and_trains_alone(
    train_page: RunPage, estimates: type[FakeEstimates]
) -> None:
    estimates.found = None
    page = train_page()
    page.button(key="start").click().run()
    assert "measured while no run trains" in words(sound(page))
    assert "Measuring how long" not in words(page)


def test_what_cannot_be_estimated_says_why(train_page: RunPage, estimates: type[FakeEstimates]) -> None:
    estimates.found = Estimate(0.0, {}, "There is no teacher.")
    assert "There is no teacher" in words(train_page())

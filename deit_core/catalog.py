"""Facts about each data set that a form needs before anything is loaded. Plain data: no tensors, no files."""

from typing import Literal, NamedTuple

SourceName = Literal["fashion-mnist", "digits"]


class SourceFacts(NamedTuple):
    """`num_train` counts the images before a validation split is cut from them; sizes are in pixels."""

    title: str
    classes: tuple[str, ...]
    in_chans: int
    native_size: int
    num_train: int
    num_test: int
    flips_keep_class: bool
    origin: str


_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

SOURCES: dict[SourceName, SourceFacts] = {
    "fashion-mnist": SourceFacts(
        title="Fashion-MNIST",
        classes=_FASHION,
        in_chans=1,
        native_size=28,
        num_train=60_000,
        num_test=10_000,
        flips_keep_class=True,
        origin="Xiao, Rasul & Vollgraf 2017 (arXiv:1708.07747), MIT licence",
    ),
    "digits": SourceFacts(
        title="Digits",
        classes=tuple("0123456789"),
        in_chans=1,
        native_size=8,
        num_train=1_437,
        num_test=360,
        flips_keep_class=False,
        origin="UCI Optical Recognition of Handwritten Digits, as shipped inside scikit-learn",
    ),
}

"""The data sets that can be chosen: what a form must know of them before a file is read."""

from typing import Literal, NamedTuple

SourceName = Literal["fashion-mnist", "digits", "scattered-digits", "mnist", "cifar-10", "cifar-100", "folder"]


class SourceFacts(NamedTuple):
    """`num_train` counts the images before a validation split is cut from them; `native_size` is in pixels, None where
    the images differ in size; `download_mb` is what its files weigh as they are published, in millions of bytes.
    """

    title: str
    classes: tuple[str, ...]
    in_chans: int
    native_size: int | None
    num_train: int
    num_test: int
    flips_keep_class: bool
    origin: str
    download_mb: float = 0.0


DIGIT_SIZE = 8  # pixels, of scikit-learn's digits
DEFAULT_CANVAS, DEFAULT_PLACES = 20, 2  # of scattered digits
TEST_PLACES = 8  # of each test digit, whatever the training shows: few images would tell little

_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

_CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# The fine labels in the order of their numbers, which is alphabetical.
_CIFAR_100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""

# Per channel, of pixels in [0, 1]: the usual values of models trained on ImageNet.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# deit_core.image_folders.facts has the facts of a "folder".
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
        download_mb=30.9,
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
    "scattered-digits": SourceFacts(
        title="Scattered digits",
        classes=tuple("0123456789"),
        in_chans=1,
        native_size=DEFAULT_CANVAS,
        num_train=1_437 * DEFAULT_PLACES,
        num_test=360 * TEST_PLACES,
        flips_keep_class=False,
        origin="UCI Optical Recognition of Handwritten Digits, as shipped inside scikit-learn, at random places on a "
        "canvas",
    ),
    "mnist": SourceFacts(
        title="MNIST",
        classes=tuple("0123456789"),
        in_chans=1,
        native_size=28,
        num_train=60_000,
        num_test=10_000,
        flips_keep_class=False,
        origin="LeCun, Cortes & Burges 1998, CC BY-SA 3.0",
        download_mb=11.6,
    ),
    "cifar-10": SourceFacts(
        title="CIFAR-10",
        classes=_CIFAR_10,
        in_chans=3,
        native_size=32,
        num_train=50_000,
        num_test=10_000,
        flips_keep_class=True,
        origin="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; no licence is stated",
        download_mb=170.5,
    ),
    "cifar-100": SourceFacts(
        title="CIFAR-100",
        classes=tuple(_CIFAR_100.split()),
        in_chans=3,
        native_size=32,
        num_train=50_000,
        num_test=10_000,
        flips_keep_class=True,
        origin="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images, its 100 fine labels; "
        "no licence is stated",
        download_mb=169.0,
    ),
}

# Of torchvision's best ImageNet weights, as torchvision 0.28.0 lists their files.
TORCHVISION_MB = {
    "resnet18": 44.7,
    "resnet50": 97.8,
    "regnet_y_400mf": 16.8,
    "regnet_y_800mf": 24.8,
    "regnet_y_1_6gf": 43.2,
    "regnet_y_3_2gf": 74.6,
    "regnet_y_8gf": 150.7,
    "regnet_y_16gf": 319.5,
}

"""How images become pixels: the versions, since runs and checkpoints of an older one keep to it.

1: files are decoded by Pillow and resized by floats; views are made by torchvision's RandAugment and floats.
2: JPEGs are decoded by OpenCV, at a lower resolution where that is enough, and everything is resized and changed in
   8 bits. Of data sets that are not folders, only views other than crop and flip differ.
"""

from typing import Literal

PixelVersion = Literal[1, 2]

FIRST_PIXELS: PixelVersion = 1
NEWEST_PIXELS: PixelVersion = 2

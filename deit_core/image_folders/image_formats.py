"""The formats of image files that are read, in one table for decoding, listing and the pages."""

FORMATS = {  # as Pillow names them: the endings that files of each have; of an animation the first frame is read
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WebP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
_FIRST, _LAST = ", ".join([*FORMATS][:-1]), [*FORMATS][-1]
ONE_FORMAT, ALL_FORMATS = f"{_FIRST} or {_LAST}", f"{_FIRST} and {_LAST}"


def is_image(name: str) -> bool:
    """Whether a file of this name counts as an image, whatever it contains."""
    return name.lower().endswith(ENDINGS)

"""The formats of image files that are read, one table: what decodes, what lists and what a page says follow it."""

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
    """Whether a file of this name is taken for an image, whatever is in it."""
    return name.lower().endswith(ENDINGS)

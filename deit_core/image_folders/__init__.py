"""Folders of images, by names alone: which files are images, which folders are parts and classes, what is left out."""

from deit_core.image_folders.image_folder import (
    FolderPart,
    ImageFolder,
    find_folder,
    list_folder,
    list_names,
    num_held_out,
)
from deit_core.image_folders.image_formats import ALL_FORMATS, ENDINGS, FORMATS, ONE_FORMAT
from deit_core.image_folders.left_out import LeftOut
from deit_core.image_folders.listing import images_among, images_in, in_utf8, unreadable

__all__ = [
    "ALL_FORMATS",
    "ENDINGS",
    "FORMATS",
    "ONE_FORMAT",
    "FolderPart",
    "ImageFolder",
    "LeftOut",
    "find_folder",
    "images_among",
    "images_in",
    "in_utf8",
    "list_folder",
    "list_names",
    "num_held_out",
    "unreadable",
]

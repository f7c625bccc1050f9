"""Images for training: sources, splits, random views and batches."""

from deit_core.data.batches import TrainBatches, eval_batch_size, eval_batches
from deit_core.data.sources.demo_images import load_demo_images, write_demo_images
from deit_core.data.sources.folder import open_source
from deit_core.data.sources.named import is_here, load_source
from deit_core.data.sources.source import Source
from deit_core.data.splits import ImageData, Split, is_streamed, load_data

__all__ = [
    "ImageData",
    "Source",
    "Split",
    "TrainBatches",
    "eval_batch_size",
    "eval_batches",
    "is_here",
    "is_streamed",
    "load_data",
    "load_demo_images",
    "load_source",
    "open_source",
    "write_demo_images",
]

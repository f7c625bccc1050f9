"""Augmentation of training images: one module for each kind. Knows no files."""

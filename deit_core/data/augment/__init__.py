"""What is done to the pixels of training images: one module for each kind. Knows no files."""

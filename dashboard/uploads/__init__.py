"""Files that visitors send: zips are streamed to the disk, pictures are limited in size and number."""

"""Maps made into pictures: overlays, views, sheets and films. Knows no files but those it writes."""

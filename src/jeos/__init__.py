"""jeos: virtual appliances from a recipe, in one content-addressed store."""

__version__ = "0.1.0"

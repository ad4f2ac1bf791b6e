"""From a recipe to an image: resolve, fetch, unpack, configure, slim, image."""

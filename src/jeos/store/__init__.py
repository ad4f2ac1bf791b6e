"""The content-addressed store: objects named by the SHA-256 of their bytes, and the caches that stand beside it."""

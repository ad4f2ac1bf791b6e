"""The content-addressed store: what is kept is named by the SHA-256 of its bytes."""

"""Frozen values that the other layers speak in. Nothing here reads a file or starts a process."""

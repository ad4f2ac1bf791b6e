"""Disk formats written and read without mounts, loop devices or root: one module per format."""

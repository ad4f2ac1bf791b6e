"""Disk formats of hypervisors, read and written as `Blocks`: one module per format."""

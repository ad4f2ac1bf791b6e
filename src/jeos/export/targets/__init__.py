"""Targets of `jeos export`: one module each."""

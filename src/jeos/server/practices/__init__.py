"""Proven practices: structured articles, reviewed by peers, renewed by their authors."""

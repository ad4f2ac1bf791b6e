"""The command line: one module per verb, found by its file name."""

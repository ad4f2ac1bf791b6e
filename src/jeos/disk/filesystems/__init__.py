"""File systems that are read without mounting: one module per kind."""

"""Views of the administrators' pages: one module for each page of the desk."""

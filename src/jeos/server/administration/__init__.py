"""The administrators' pages: how the site does, its members, its jobs, and what is decided while it runs."""

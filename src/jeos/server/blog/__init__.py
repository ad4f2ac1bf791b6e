"""Blogs: one for every member, and all of them in one list, the planet."""

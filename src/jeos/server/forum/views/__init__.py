"""Pages of the forum: lists, threads, writing, moderating."""

"""Pages of blogs: lists, posts, writing, feeds."""

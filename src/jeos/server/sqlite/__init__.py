"""Django's SQLite, which looks at the text of a statement once."""

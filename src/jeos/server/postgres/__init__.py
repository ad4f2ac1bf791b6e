"""Django's PostgreSQL, with statements that the server keeps and a look at the socket before each request."""

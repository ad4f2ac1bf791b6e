"""Signing in with accounts of an organisation: OpenID Connect."""

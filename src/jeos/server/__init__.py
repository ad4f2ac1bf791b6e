"""The server: a Django project whose public part is the exchange, the community around appliances.

Each app is a folder here with an `apps.py`; `section.py` finds it, `urls.py` mounts it.
See `docs/explanation/server.md`.
"""

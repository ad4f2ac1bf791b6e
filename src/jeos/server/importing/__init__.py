"""Forums that moved here: dumps of Discourse and phpBB become members, categories, threads and posts.

A dump is read into rows that wait (`staging.py`); workers turn them into content, some at a time, each part in one
transaction that also says how far it is (`loading.py`). Old addresses lead to the new ones for ever (`views.py`).
"""

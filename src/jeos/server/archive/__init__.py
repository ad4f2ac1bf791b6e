"""The whole site as open files, and back: JSON Lines and attachments in a tar archive or a folder.

    export.write(Path("exchange.tar"))
    restore.read(Path("exchange.tar"))       # into an empty site

What may be made again (rate limits, sessions, the queue) stays out. The same site gives the same bytes.
"""

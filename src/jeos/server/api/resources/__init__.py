"""What belongs to no section: members, tags, search, notifications, comments, flags. Each module has a `router`."""

"""Backups of disks and running machines: capture, browse, restore, boot."""

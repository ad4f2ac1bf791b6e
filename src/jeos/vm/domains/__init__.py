"""Machines as domains of libvirt, for hosts that are managed that way."""

"""Machines: choosing an accelerator, describing a machine to QEMU, and looking after it."""

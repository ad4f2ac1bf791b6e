"""From a disk to what a hypervisor or cloud takes: one module per target."""

"""What lies between a disk and its file systems: partition tables and logical volumes."""

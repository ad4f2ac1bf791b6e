"""What virtualization costs on this host: one measuring program, run here and in a guest, and what it tells."""

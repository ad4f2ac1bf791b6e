"""From a foreign machine's disks to a machine that starts here: inspect, adapt, report."""

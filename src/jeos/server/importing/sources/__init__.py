"""The programs that forums come from: each module has `TABLES` and `records(row)`, and says which addresses it had."""

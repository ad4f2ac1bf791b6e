"""Jobs: work that is done after the answer, by worker processes, once and surely."""

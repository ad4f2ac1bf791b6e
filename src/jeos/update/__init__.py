"""Update a guest: which slot runs, what the other one gets, and how a new release is confirmed or left again."""

"""Mail of the exchange: what members are told by it, at once or in digests, and what they answer by it."""

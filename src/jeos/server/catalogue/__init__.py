"""The catalogue: appliances, their versions, packages and signatures, and those who publish them."""

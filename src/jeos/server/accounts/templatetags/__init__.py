"""Tags for allauth's templates."""

"""What a host measures of itself, and how that is written for Prometheus. See decision 82."""

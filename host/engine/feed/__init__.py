"""What happens on this host, for whoever listens just now."""

"""The management webhooks: what can be done with the instances of a hub."""

"""What a hub is before a host uses it: its settings, how it is made, who may do what."""

"""Entities: the second kind of instances. What they are is stored whole with each batch."""

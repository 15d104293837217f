"""`funchost instances`: everything that can be done with instances, on a running host."""

"""The administration of a host: its status, its functions, running one by hand."""

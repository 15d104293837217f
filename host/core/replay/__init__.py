"""The in-process executor: leads authors' code through recorded and new events. Pure, too."""

"""What a hub looks like as a whole: how much of what there is, since when, and what fails."""

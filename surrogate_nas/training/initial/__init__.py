"""Starting weights of trainings: learned ones, and those of a parent."""

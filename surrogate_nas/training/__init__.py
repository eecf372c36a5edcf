"""Real training: networks of the spaces, data sets, the trainer, and training as an objective."""

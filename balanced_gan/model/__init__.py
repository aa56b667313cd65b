"""The two networks, their losses and the training step."""

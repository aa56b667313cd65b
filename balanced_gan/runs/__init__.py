"""The run folder: settings, history, checkpoints."""

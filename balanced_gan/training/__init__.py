"""From a job to a trained run: start, callbacks, end."""

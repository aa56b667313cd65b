"""Metrics of how good generated pictures are."""

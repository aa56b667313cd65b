"""The report, the explorer, and the export for other programs."""

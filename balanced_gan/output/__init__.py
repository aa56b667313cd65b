"""From networks to picture files, sheets, plots and videos."""

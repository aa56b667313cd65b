"""Systems that this one grew out of: their settings, networks and schedules."""

"""What was seen is kept here: rows, coarser tiers, events, metrics files and the recorder."""

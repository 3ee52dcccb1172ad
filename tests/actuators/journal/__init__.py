"""What outlives a process is written down and undone."""

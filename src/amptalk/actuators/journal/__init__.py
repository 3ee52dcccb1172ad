"""What outlives us: written down before it is changed, undone by us, a guardian or `restore`."""

"""What named jobs cost: measured, shared out among those that overlap, learned, remembered."""

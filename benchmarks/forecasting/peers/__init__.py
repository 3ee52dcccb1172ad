"""What ours is compared with: one small online method each, told the value and nothing else."""

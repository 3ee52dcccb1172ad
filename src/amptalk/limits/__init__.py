"""Judge what was measured by what is allowed: limits, thresholds, levels, violations."""

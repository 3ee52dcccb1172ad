"""Parts of the forecast benchmark: traces, what competes, the protocol that scores it, tables."""

"""AMPTALK resource management."""

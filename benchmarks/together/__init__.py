"""Three real models, each its own process, on one budget: with and without cooperation."""

"""Real pressure in real control groups: an application, its hog, its neighbour, what came of it."""

"""Run any program under limits: what holds them, what is asked, what came of it."""

"""A small process beside the application that acts while it cannot, and undoes when it is gone."""

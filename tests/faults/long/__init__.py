"""Lives that are too long for the suite: commands that print their figures."""

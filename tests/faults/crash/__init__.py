"""Each step killed at each of its effects and run again: the effects are those that a clean run shows."""

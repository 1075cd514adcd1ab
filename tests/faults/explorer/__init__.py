"""Explores the real protocol code on the shipped fakes: every interleaving, crash, timeout and ghost is a recorded choice."""

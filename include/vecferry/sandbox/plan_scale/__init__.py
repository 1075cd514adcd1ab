"""What a migration of a size that nobody tries out costs: figures from the catalogue's limits, and the planner and the ledger
measured on simulated ids."""

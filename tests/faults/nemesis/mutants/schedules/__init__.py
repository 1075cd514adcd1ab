"""Scenarios on a real Weaviate, a ledger in SQL and processes of their own, each at the one moment that a rule is about.

A random seed seldom meets that moment; here it is met each time. Every schedule ends in a retired migration, so that what the
shadow missed is lost for good, and leaves a folder for the judge.
"""

"""Alembic's folder: one file a revision in versions/, shipped with the package."""

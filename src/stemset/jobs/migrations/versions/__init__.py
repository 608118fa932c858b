"""The scripts, each named by its revision. They change the database, and nothing else does."""

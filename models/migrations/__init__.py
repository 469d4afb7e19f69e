"""Migrations: how a database comes from any earlier version to the tables of this one, and back."""

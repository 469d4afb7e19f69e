"""Procedures, forms, profiles and code lists: data, read with importlib.resources."""

"""What people and the clock may do: commands and queries, one noun per module."""

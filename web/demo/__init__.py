"""The demonstration: a made-up city with its people, and published cases entered through the engine itself."""

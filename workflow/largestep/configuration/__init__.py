"""The YAML file as typed, frozen objects, with one clear line for every mistake in it.

It knows nothing of what is done with them; everything above it sees these objects, never YAML.
"""

"""Sinks for the events of a tree: each in a file of its own, imported only when it is used."""

"""The suites, a folder each, and in them the cases, a file each."""

"""Files of other supervisors, as an `orchestra.toml` and a list of what has no place in it."""

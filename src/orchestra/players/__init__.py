"""Players that are no coroutines: one kind a file."""

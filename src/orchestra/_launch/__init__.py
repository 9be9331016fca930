"""Starting commands by way of a small process that forks for us, and ends them when we are gone."""

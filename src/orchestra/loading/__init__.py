"""From what a user names, a target in code, a TOML file or a Procfile, to something that plays."""

"""The `runnerly` command: one module a subcommand."""

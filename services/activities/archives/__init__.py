"""Archives that runners bring: which files are in them, and what was said about these elsewhere. Sync, and without state."""

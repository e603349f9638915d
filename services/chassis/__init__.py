"""What every service stands on. It holds no business noun and imports no service."""

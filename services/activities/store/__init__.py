"""What is kept of activities, and how it is found: the only room with the database driver."""

"""What an account is, and the rules it keeps to."""

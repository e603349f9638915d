"""Coverage-guided fuzzing of everything that reads strangers' files: `make fuzz`, and what it found so far as a corpus."""

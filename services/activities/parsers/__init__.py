"""Reading files in worker processes: files come from strangers, and a large one would hold up every other request."""

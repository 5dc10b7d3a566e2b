"""What an op is, and how it is called. Knows no particular op."""

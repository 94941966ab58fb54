"""What is computed of draws: predictions."""

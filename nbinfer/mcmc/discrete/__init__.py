"""Steps on discrete variables, and draws from full conditionals."""

"""The engine: jobs, their memory, the threads that advance them, and what steps have in common."""

"""The code that is generated for a model, and the C functions made from it."""

"""Steps that propose a point and accept or reject it, and slices."""

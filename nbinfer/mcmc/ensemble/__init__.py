"""Samplers for many chains that move by themselves and learn together."""

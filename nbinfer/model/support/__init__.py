"""Supports: what values a parameter can have, and bounds that depend on others."""

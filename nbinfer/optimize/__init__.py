"""Points and curvatures of a model."""

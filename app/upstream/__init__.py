"""The outside world: one small client a service. Knows no database."""

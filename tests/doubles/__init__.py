"""Small real servers on loopback that answer as the outside services do."""

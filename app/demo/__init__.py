"""Demo data: a few people with lists and public collections, on top of the sample catalogue."""

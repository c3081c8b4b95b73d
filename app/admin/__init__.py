"""The staff's web pages, at /admin/."""

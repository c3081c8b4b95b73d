"""Lists in and out: files as other services export them."""

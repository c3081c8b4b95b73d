"""IMDb's public dataset files: the whole of cinema, into the catalogue."""

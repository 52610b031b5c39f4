"""The opening hall: an opening as it happens, live for everybody, from public acts alone."""

"""Labs: their catalogue, and the API that their checks are written against."""

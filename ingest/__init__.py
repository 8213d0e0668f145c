"""Sources in, normalised events out."""

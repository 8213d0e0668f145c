"""From a path or a server's feed to the reader that reads it."""

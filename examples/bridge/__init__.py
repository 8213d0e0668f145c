"""A reference bridge: deals of an MT5 server to ibflow's push endpoint, buffered on disk while offline."""

"""The same job in other engines, for `make bench`: one deal a message, each engine as its manual says."""

"""One deal's amounts up the tree: what is measured, at which rate, and how it is shared."""

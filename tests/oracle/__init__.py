"""An independent, naive answer to what a broker owes; the core is compared with it."""

"""The portal's pages, one subject a file: each gathers what it shows, and renders it."""

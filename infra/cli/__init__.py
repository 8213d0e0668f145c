"""The `ibflow` command."""

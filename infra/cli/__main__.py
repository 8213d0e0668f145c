"""`python -m infra.cli`: the same as the script `ibflow`."""

from infra.cli.app import main

main()

"""The Faust worker: three books, one runner, and the sink into ClickHouse."""

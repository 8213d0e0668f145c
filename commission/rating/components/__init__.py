"""Plan components that pay for deals: one way to measure a deal each."""

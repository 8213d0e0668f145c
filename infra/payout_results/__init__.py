"""What a bank says became of a payout: its bytes in, values out."""

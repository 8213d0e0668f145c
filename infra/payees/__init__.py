"""Where IBs are paid: bank accounts, trading accounts, wallets; proposed, approved, sealed."""

"""The three folds: whose deal it is, who earns what from it, what an IB is paid."""

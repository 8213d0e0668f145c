"""What a broker publishes: partners, plans, symbols, rates, periods; and the terms as a fold knows them."""

"""The REST face of the exchange: parameters in, rows out."""

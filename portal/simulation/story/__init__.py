"""The story of one simulated tender: drawn from its seed, played from the notice to the contract."""

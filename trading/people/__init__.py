"""Who acts: organisations and their graph, accounts, tokens and sessions."""

"""The bidder's desk in a browser: own tenders, documents, questions, a bid prepared and sealed there, its receipts."""

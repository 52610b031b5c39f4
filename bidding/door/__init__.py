"""The bidders' door: upload, submit, withdraw, receipts."""

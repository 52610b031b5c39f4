"""The public door: notices, tenders, and everything that anybody may check."""

"""The door of owners, agents and the trading centre."""

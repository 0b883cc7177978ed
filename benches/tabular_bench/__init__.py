"""The estimators for tables beside their peers."""

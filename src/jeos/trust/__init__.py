"""Who may say what an appliance is: keys and signed metadata."""

"""What is proved at an opening: terms and deadline, the frozen list, who certified whom, shares made secrets again."""

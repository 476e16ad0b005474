"""What a user would write instead: the same models and frames behind usual means."""

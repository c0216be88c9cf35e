"""What a learner does with a lesson: how far it may be seen, and what is kept of it."""

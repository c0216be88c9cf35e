"""The plain front end: lists, steps and states as text and as JSON, and a walk without a full screen."""

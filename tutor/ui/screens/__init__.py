"""The screens: the list of lessons, a lesson, and sheets of text above it. Each is imported when it is first needed."""

"""The screens: the list of lessons, a lesson, and modal screens above it. Each is imported when first shown."""

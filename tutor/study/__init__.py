"""What a learner does with a lesson: questions, exercises, runs, and the progress that is stored. No Textual."""

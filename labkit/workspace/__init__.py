"""The learner's folder: files, snapshots, progress."""

"""The ground floor: errors, processes, progress, files and settings. It imports nothing else of jeos."""

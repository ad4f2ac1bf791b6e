"""The part of jeos that runs inside the guest. It uses the standard library only."""

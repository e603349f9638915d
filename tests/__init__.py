"""The tests of Runnerly, by how much of it they run."""

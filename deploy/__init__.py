"""How Runnerly runs elsewhere than on a developer's laptop: behind nginx, under Circus, in containers."""

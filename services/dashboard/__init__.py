"""The front page: what a person meets in a browser. It owns nothing and calls nobody; the browser talks to the rest.

Plain HTML, CSS and script for now; the dashboard proper takes its place.
"""

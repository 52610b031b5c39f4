"""The first run of a real hall: from an empty folder to a hall that can publish, by two administrators."""

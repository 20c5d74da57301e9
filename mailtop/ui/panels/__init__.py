"""Parts of screens: a `Panel` draws rows of Overview, a `Listing` says how one kind of page is shown in Queue."""

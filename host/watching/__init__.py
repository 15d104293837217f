"""An app that changes while its host runs: it is loaded anew, on order or when its files change."""

"""The site chat: visitors of a web page speak with our own server."""

"""The portal: server-rendered pages, their style and one small script, all of it from this folder."""

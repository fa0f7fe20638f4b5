"""Files in, files out: a task over every row of a file, in bounded memory, resumable.

paths       what to read and where to write
lines       bytes -> bounded lines -> text in the file's encoding
readers     a file -> rows; `delimited` and `tables` for formats that need more
windows     rows -> windows; duplicates computed once, like lengths together
columns     a result -> cells
writers     windows -> bytes
output      files that appear whole or not at all
checkpoint  where a job stands, written atomically
runner      all of it together
store       jobs of a service, in SQLite
"""

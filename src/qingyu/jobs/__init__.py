"""Files in, files out: a task over every row of a file, in bounded memory, resumable.

paths       what to read and where to write
opening     a file, and errors of reading that name it
lines       bytes -> bounded lines -> text in the file's encoding
readers     a file -> rows; `delimited`, `parquet` (values: `arrow`) and `workbook` (`sheet`,
            `workbook_parts`, `xml`) for formats that need more
windows     rows -> windows; duplicates computed once, like lengths together
columns     a result -> cells
writers     windows -> bytes; `table_writers` turns them into tables at the end
output      files that appear whole or not at all
checkpoint  where a job stands, written atomically
runner      all of it together
store       jobs of a service: a `database` of `records`, and `folders` for their files
apart       a service's job in a process of its own: `child`, told by `frames`
"""

"""Archives: every database and the keys in one file, how it is made, judged and put back.

An archive is a tar of members compressed as one zstd frame, so that `tar --zstd` and `bsondump` open it without us:

- `data/<database>/<collection>/<number>.bson`, a row of BSON documents, about 8 MiB each;
- `keys/<name>`, the files of the keys directory;
- `manifest.json`, last: what there is, with the size and SHA-256 of every member, and the shape of every collection.
"""

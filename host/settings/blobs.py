"""`extensions.blobs` of host.json: what blobs of functions may take."""

from __future__ import annotations

from host.settings.numbers import PositiveInt
from host.settings.sections import Section


class BlobSettings(Section):
    """`extensions.blobs`.

    So many blobs are worked on at once for one function (`maxDegreeOfParallelism`; None is 8 for
    each processor), and one is tried so often (`poisonBlobThreshold`). What is read or written as
    one value has at most `maxValueBytes`, what is written in pieces `maxBlobBytes`.
    """

    max_degree_of_parallelism: PositiveInt | None = None
    poison_blob_threshold: PositiveInt = 5
    max_value_bytes: PositiveInt = 64 * 1024 * 1024
    max_blob_bytes: PositiveInt = 10 * 1024 * 1024 * 1024

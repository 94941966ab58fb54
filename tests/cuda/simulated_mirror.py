"""What is mirrored points to its copies, and to nothing of the host's."""

import numpy as np

from nbinfer.compile import address_of, aligned
from nbinfer.cuda.mirror import Mirror


def test_addresses_lead_to_the_copies():
    rows = aligned(3, 5, np.int64)[:, :5]  # with room between them
    data = np.arange(6.0)
    rows[:] = 7
    rows[1, 2] = address_of(data) + 8 * 4
    rows[2, 0] = address_of(rows[1])
    rows[0, 1] = -(1 << 48) - 3
    rows[0, 3] = rows[0, 4] = address_of(data)
    mirror = Mirror({"rows": rows, "data": data}, {-(1 << 48) - 3: 5})
    mirror.make({"rows": [4]})
    there = mirror.fetch("rows")
    assert there[1, 2] == mirror.address("data") + 8 * 4
    assert there[2, 0] == mirror.address("rows") + mirror.bytes_of_row("rows")
    assert there[0].tolist() == [7, 5, 7, mirror.address("data"), address_of(data)]
    assert mirror.fetch("data").view(np.float64).ravel().tolist() == data.tolist()


def test_copies_go_both_ways():
    rows = np.arange(6).reshape(2, 3)
    mirror = Mirror({"rows": rows}, {})
    mirror.make({})
    mirror.put("rows", rows + 1)
    assert rows[0, 0] == 0
    mirror.take("rows", mirror.fetch("rows"))
    assert rows[1, 2] == 6

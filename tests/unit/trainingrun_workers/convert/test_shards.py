"""What nanotron writes about the shards of a tensor."""

from trainingrun_workers.convert.shards import _shape, _slices


def test_a_shape_is_read_as_either_numpy_makes_nanotron_write_it() -> None:
    assert _shape("(1000, 64)") == (1000, 64)
    assert _shape("(np.int64(1000), 64)") == (1000, 64)
    assert _shape("(64,)") == (64,)


def test_the_parts_of_a_joint_projection_are_told_apart() -> None:
    text = "0,8,None|None,None,None#16,24,None|None,None,None;8,12,None|None,None,None#36,40,None|None,None,None"
    assert list(_slices(text)) == [
        ((slice(0, 8), slice(None)), (slice(16, 24), slice(None))),
        ((slice(8, 12), slice(None)), (slice(36, 40), slice(None))),
    ]

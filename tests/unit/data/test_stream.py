import json
from itertools import pairwise

import pytest
import torch

import softdiffusion.data as data
from softdiffusion.data import Stream
from tests.hub_sets import NAMES, as_png, images, map_style, pixels, streamed

KNOWN = {image.numpy().tobytes(): i for i, image in enumerate(images(list(range(40))))}


def numbers(x0):
    """The rows that images are."""
    return [KNOWN[image.numpy().tobytes()] for image in x0]


def read(stream, count):
    """The rows that come next, one by one."""
    return [numbers(stream.read(1)[0])[0] for _ in range(count)]


@pytest.fixture
def stream():
    """17 rows in 4 shards, one of them empty, in blocks of 4."""
    return Stream(streamed(5, 0, 9, 3), buffer=4)


def test_every_epoch_has_every_row_once_in_an_order_of_its_own(stream):
    epochs = [read(stream, 17) for _ in range(3)]
    assert all(sorted(epoch) == list(range(17)) for epoch in epochs)
    assert all(one != other for one, other in pairwise([list(range(17)), *epochs]))
    assert epochs[0] == read(Stream(streamed(5, 0, 9, 3), buffer=4), 17)
    assert epochs[0] != read(Stream(streamed(5, 0, 9, 3), buffer=4, seed=1), 17)


def test_shards_are_mixed_and_rows_do_not_leave_their_block():
    alone = Stream(streamed(3, 3, 3, 3), buffer=1)
    epochs = [read(alone, 12) for _ in range(4)]
    for epoch in epochs:
        begun = epoch[::3]
        assert epoch == [first + i for first in begun for i in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) > 1
    blocks = read(Stream(streamed(12), buffer=5), 12)
    assert [set(block) for block in (blocks[:5], blocks[5:10], blocks[10:])] == [
        {0, 1, 2, 3, 4},
        {5, 6, 7, 8, 9},
        {10, 11},
    ]


@pytest.mark.parametrize("buffer", [1, 4, 5, 100])
def test_from_every_state_the_same_rows_follow(buffer):
    stream = Stream(streamed(5, 0, 9, 3), buffer=buffer)
    following, states = [], [stream.state()]
    for _ in range(40):
        following.append(read(stream, 1)[0])
        states.append(json.loads(json.dumps(stream.state())))
    other = Stream(streamed(5, 0, 9, 3), buffer=buffer)
    for position, state in enumerate(states):
        other.restore(state)
        assert other.state() == state
        ahead = following[position : position + 12]
        assert read(other, len(ahead)) == ahead


def test_a_state_serves_more_than_once(stream):
    read(stream, 6)
    state = stream.state()
    kept = json.dumps(state)
    first = read(stream, 20)
    assert json.dumps(state) == kept
    for _ in range(2):
        stream.restore(state)
        assert read(stream, 20) == first


def sources(folder):
    """Streams as users have them: of a data set in memory, of files, filtered."""
    import datasets

    map_style(14).to_parquet(folder / "train.parquet")
    files = datasets.load_dataset(str(folder), split="train", streaming=True)
    return {
        "memory": map_style(14).to_iterable_dataset(num_shards=3),
        "files": files,
        "filtered": files.filter(lambda row: row["label"] == 0),
        "mapped": files.map(lambda row: {"label": 1 - row["label"]}, features=files.features),
    }


def test_sources_of_all_kinds_resume_exactly(tmp_path):
    for kind, source in sources(tmp_path).items():
        stream = Stream(source, buffer=4)
        rows = 7 if kind == "filtered" else 14
        before = read(stream, 5)
        state = json.loads(json.dumps(stream.state()))
        following = read(stream, 2 * rows)
        assert sorted(before + following[: rows - 5]) == list(range(0, 14, 14 // rows)), kind
        other = Stream(source, buffer=4)
        other.restore(state)
        assert read(other, 2 * rows) == following, kind


def test_the_shares_of_several_processes_make_the_batch(stream):
    whole, labels = stream.read(8)
    assert whole.dtype == torch.float32 and labels.dtype == torch.int64
    assert labels.tolist() == [number % 2 for number in numbers(whole)]
    shares = []
    for process in range(2):
        mine = Stream(streamed(5, 0, 9, 3), buffer=4)
        shares.append(mine.read(8, slice(process, None, 2)))
        assert mine.state() == stream.state()
    for process, (x0, own) in enumerate(shares):
        assert torch.equal(x0, whole[process::2]) and torch.equal(own, labels[process::2])
    empty, none = stream.read(1, slice(1, None, 2))
    assert empty.shape == (0, 3, 12, 12) and none.shape == (0,)


def test_the_head_is_that_of_the_data_and_takes_nothing_from_the_stream(stream):
    before = stream.state()
    head = stream.head(7)
    assert torch.equal(head.tensor(), images(list(range(7))))
    assert head.labels.tolist() == [0, 1, 0, 1, 0, 1, 0] and head.classes == NAMES
    assert head.notes == (
        "the first 7 images of a stream",
        "a stream of 4 shards, mixed in blocks of 4 rows",
        "3 channels, as the first picture has",
    )
    assert len(stream.head(100)) == 17
    assert stream.state() == before
    assert stream.shape == (3, 12, 12) and stream.labelled and stream.classes == NAMES


def test_the_digest_tells_streams_apart(stream):
    again = Stream(streamed(5, 0, 9, 3), buffer=4)
    others = [
        Stream(streamed(5, 0, 9, 3), buffer=5),
        Stream(streamed(5, 0, 9, 3), buffer=4, seed=1),
        Stream(streamed(5, 0, 9, 3), buffer=4, size=6),
        Stream(streamed(5, 9, 3), buffer=4),
        Stream(streamed(6, 0, 9, 3), buffer=4),
    ]
    assert stream.digest() == again.digest()
    assert len({stream.digest(), *(other.digest() for other in others)}) == 6


def test_a_shuffled_source_is_refused():
    with pytest.raises(ValueError, match="stream does not go on after its own state.*before datas"):
        Stream(streamed(20).shuffle(seed=0, buffer_size=8))


def test_other_sources_are_refused():
    import datasets

    with pytest.raises(TypeError, match=r"a datasets.IterableDataset, but is given a Dataset\."):
        Stream(map_style(2))
    with pytest.raises(ValueError, match="stream has no rows"):
        Stream(streamed(0))
    untyped = datasets.IterableDataset.from_generator(lambda: iter([{"image": 1}]))
    with pytest.raises(ValueError, match="stream does not say the types of its columns; give them"):
        Stream(untyped)
    with pytest.raises(ValueError, match="buffer of a stream must be in"):
        Stream(streamed(2), buffer=0)


def test_a_damaged_picture_is_named_by_row_and_shard():
    import datasets

    files = [as_png(pixels(0)), as_png(pixels(1)), b"other"]
    rows = [{"image": {"bytes": file, "path": None}} for file in files]
    source = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
    stream = Stream(source.to_iterable_dataset(), buffer=1)
    assert stream.read(2)[1] is None
    with pytest.raises(ValueError, match="image in row 2 of shard 0 of stream can't be read"):
        stream.read(1)


def test_pictures_that_differ_from_the_first_are_refused():
    import datasets

    def of(*arrays):
        rows = [{"image": {"bytes": as_png(array), "path": None}} for array in arrays]
        source = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
        return source.to_iterable_dataset()

    grey, colour = pixels(0)[..., 0], pixels(1)
    assert Stream(of(colour, grey)).head(2).tensor().shape == (2, 3, 12, 12)
    assert Stream(of(grey, colour), channels=3).head(2).tensor().shape == (2, 3, 12, 12)
    assert Stream(of(colour), channels=1).notes[-1] == "1 channel, as asked for"
    with pytest.raises(
        ValueError, match="row 1 of stream has colour, but the first has none; give"
    ):
        Stream(of(grey, colour)).head(2)
    with pytest.raises(ValueError, match="has 12 x 12 pixels but row 1 of stream has 14 x 9; give"):
        Stream(of(colour, pixels(2, 9, 14))).head(2)


def test_a_stream_by_its_name(tmp_path):
    map_style(12).to_parquet(tmp_path / "train.parquet")
    name = f"hub-stream:{tmp_path}"
    stream = data.open_stream(name, size=6, channels=1, buffer=3, seed=2)
    assert stream.shape == (1, 6, 6) and stream.buffer == 3 and stream.seed == 2
    assert torch.equal(data.load(name), images(list(range(12))))
    with pytest.raises(ValueError, match="no test split, and from a stream nothing is held out"):
        data.open(name, split="test")
    map_style(2, start=12).to_parquet(tmp_path / "validation.parquet")
    assert torch.equal(data.load(name, split="test"), images([12, 13]))
    map_style(3).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match="was written by save_to_disk.*name it as hub:"):
        data.open(f"{name}/saved")
    with pytest.raises(ValueError, match="'digits' is no stream; use hub-stream:NAME"):
        data.open_stream("digits")
